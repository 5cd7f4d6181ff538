"""Which video a clip is from. Clips of one video are alike, so they are judged together."""

import re
from pathlib import PurePath

from dollygrip.runners.formats.truth import LabelledClip, stem

# Columns of a label file that say it.
_COLUMNS = ("group", "source_video")
# Copies of a clip, played backwards or mirrored: "walk__rev.mp4". Of one that the label file calls
# derived, whatever comes after two underscores.
_COPY, _DERIVED = re.compile(r"__(?:rev|mir)$"), re.compile(r"(?<=.)__[^_]+$")
# CameraBench's clips: the name of the video, then one or two numbers of the cut.
_CUT = re.compile(r"(?<=.)(?:\.\d+){1,2}$")


def source_video(clip: LabelledClip) -> str:
    """The video that a clip is from; clips of one video are alike.

    That is what the label file says (column ``group`` or ``source_video``); else the name without
    the numbers of the cut, as CameraBench's "IWv0EhEGmNI.16.6.mp4" is from "IWv0EhEGmNI". Copies
    ("walk__rev.mp4", "walk__mir.mp4") are from the video of their original.
    """
    for column in _COLUMNS:
        if said := clip.extra.get(column):
            return f"{column} {said}"
    path = PurePath(clip.clip)
    copy = _DERIVED if clip.extra.get("derived") else _COPY
    return str(path.parent / _CUT.sub("", copy.sub("", stem(path.name))))
