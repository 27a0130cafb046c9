"""What the random changes of training images find an image and its mask by."""

IMAGE, MASK = "image", "mask"
