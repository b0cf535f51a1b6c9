"""Where frames come from: video files, picture sequences, cameras."""
