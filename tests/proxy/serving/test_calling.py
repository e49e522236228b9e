"""What the end-to-end tests of the modes do not pin down."""

from __future__ import annotations

from proxy.serving.calling import with_lines


def test_lines_go_to_the_end_of_the_results_text() -> None:
    image = {"type": "image", "data": "", "mimeType": "image/png"}
    content = [{"type": "text", "text": "42"}, image, {"type": "text", "text": "emitted"}]
    assert with_lines(content, []) is content
    assert with_lines(content, ["a", "b"]) == [{"type": "text", "text": "42\n\na\nb"}, *content[1:]]
    assert with_lines([image], ["a"]) == [{"type": "text", "text": "a"}, image]
    assert content[0] == {"type": "text", "text": "42"}
