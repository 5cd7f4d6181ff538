import pytest

from dollygrip.runners.formats.sources import source_video
from dollygrip.runners.formats.truth import LabelledClip


@pytest.mark.parametrize(
    ("clip", "source"),
    [
        ("IWv0EhEGmNI.16.6.mp4", "IWv0EhEGmNI"),
        ("IWv0EhEGmNI.3.mp4", "IWv0EhEGmNI"),
        ("168085.0.12", "168085"),
        ("walk.mp4", "walk"),
        ("walk", "walk"),
        ("a/walk.1.2.mp4", "a/walk"),
        (".1.2.mp4", ".1"),
        ("walk__rev.mp4", "walk"),
        ("walk.1.2__mir.mp4", "walk"),
        ("walk__slow.mp4", "walk__slow"),
        (".", "."),
    ],
)
def test_the_video_is_the_name_without_the_cut(clip, source):
    assert source_video(LabelledClip(clip, {})) == source


def test_a_derived_copy_is_from_the_video_of_its_original():
    assert source_video(LabelledClip("walk__slow.mp4", {}, {"derived": "slower"})) == "walk"


@pytest.mark.parametrize("column", ["group", "source_video"])
def test_the_label_file_knows_better(column):
    one, other = (LabelledClip(name, {}, {column: "tape 1"}) for name in ("a.mp4", "b.mp4"))
    assert source_video(one) == source_video(other)
    assert source_video(one) != source_video(LabelledClip("tape 1", {}))
    assert source_video(LabelledClip("a.mp4", {}, {column: ""})) == "a"
