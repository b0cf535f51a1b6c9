"""The picture of where a frame's time goes."""

from __future__ import annotations

from xml.etree import ElementTree

from benchmarks.where_time_goes import NAMES, Bar, svg

SPACE = "{http://www.w3.org/2000/svg}"


def test_bars_are_to_one_scale_and_lie_end_to_end() -> None:
    short, long = (Bar(label, dict.fromkeys(NAMES.values(), ms)) for label, ms in (("short", 4.0), ("long", 8.0)))
    picture = ElementTree.fromstring(svg([short, long], 30.0, "Where it goes"))
    drawn = [each for each in picture.iter(f"{SPACE}rect") if each.get("height") == "34"]
    x, widths = ([float(each.get(key, "")) for each in drawn] for key in ("x", "width"))
    count = len(NAMES)
    assert len(drawn) == 2 * count
    for step in range(1, count):
        assert abs(x[step - 1] + widths[step - 1] - x[step]) < 0.3
    assert abs(sum(widths[count:]) - 2 * sum(widths[:count])) < 1
    texts = [each.text for each in picture.iter(f"{SPACE}text")]
    assert {"Where it goes", "short", "long", "20 ms", "40 ms", "a frame every 30 ms"} <= set(texts)
