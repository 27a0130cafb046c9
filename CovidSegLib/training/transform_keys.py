"""Keys of the image and the mask in the dictionaries that augmentation transforms take."""

IMAGE, MASK = "image", "mask"
