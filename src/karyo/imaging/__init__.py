"""Ground floor: one image in, one image out. numpy and OpenCV only; no torch, no files but the one being read."""
