"""Class names of the few-shot benchmarks: the original's spelling, and one that people would use.

The original's label files write VOC devkit names, and COCO names without spaces, with VOC's
spelling where both have the class.
"""

from collections.abc import Mapping

PASCAL: tuple[str, ...] = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip

COCO: tuple[str, ...] = (
    "person", "bicycle", "car", "motorbike", "aeroplane", "bus", "train", "truck", "boat",
    "trafficlight", "firehydrant", "stopsign", "parkingmeter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sportsball", "kite",
    "baseballbat", "baseballglove", "skateboard", "surfboard", "tennisracket", "bottle",
    "wineglass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hotdog", "pizza", "donut", "cake", "chair", "sofa", "pottedplant", "bed",
    "diningtable", "toilet", "tvmonitor", "laptop", "mouse", "remote", "keyboard", "cellphone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddybear", "hairdrier", "toothbrush",
)  # fmt: skip

# Of 91 numbers these 80 are used; in this order they are the classes of COCO-20i.
COCO_IDS: tuple[int, ...] = tuple(
    number for number in range(1, 91)
    if number not in {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
)  # fmt: skip

_NATURAL: Mapping[str, str] = {
    "aeroplane": "airplane", "baseballbat": "baseball bat", "baseballglove": "baseball glove",
    "cellphone": "cell phone", "diningtable": "dining table", "firehydrant": "fire hydrant",
    "hairdrier": "hair drier", "hotdog": "hot dog", "motorbike": "motorcycle",
    "parkingmeter": "parking meter", "pottedplant": "potted plant", "remote": "remote control",
    "sportsball": "sports ball", "stopsign": "stop sign", "teddybear": "teddy bear",
    "tennisracket": "tennis racket", "trafficlight": "traffic light", "tvmonitor": "television",
    "wineglass": "wine glass",
}  # fmt: skip


def natural_name(name: str) -> str:
    """A class name as people would write it: `pottedplant` is a potted plant."""
    return _NATURAL.get(name, name.replace("_", " "))
