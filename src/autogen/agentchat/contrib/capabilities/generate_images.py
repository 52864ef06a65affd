"""Retired names of AutoGen 0.2."""

from __future__ import annotations

from ...._retired import retired

__all__ = ["DalleImageGenerator", "ImageGeneration", "ImageGenerator", "extract_images"]

DalleImageGenerator = retired(__name__, "DalleImageGenerator")
ImageGeneration = retired(__name__, "ImageGeneration")
ImageGenerator = retired(__name__, "ImageGenerator")
extract_images = retired(__name__, "extract_images")
