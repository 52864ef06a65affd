"""Pictures in messages: reading them, and the forms in which models take them.

A picture is named by the path of a file, a data URI, or a URL. URLs in messages go to the model as
they are; `get_image_data` and `get_pil_image` alone fetch one, for a program that calls them with
it. Only what has to decode a picture needs Pillow.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import io
import logging
import math
import re
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from ...errors import UsageError
from ..utils import parse_tags_from_content

__all__ = [
    "convert_base64_to_data_uri",
    "extract_img_paths",
    "get_image_data",
    "get_pil_image",
    "gpt4v_formatter",
    "llava_formatter",
    "message_formatter_pil_to_b64",
    "num_tokens_from_gpt_image",
    "picture_uri",
    "pil_to_data_uri",
]

logger = logging.getLogger("autogen")

#: The most bytes that a picture fetched from the network may have, and how long each part may take.
MAX_FETCHED_BYTES: Final = 20 * 1024 * 1024
FETCH_TIMEOUT_S: Final = 20.0

_DATA_URI = re.compile(r"data:image/[\w.+-]+;base64,(.*)", re.DOTALL)
_URL = re.compile(r"https?://", re.IGNORECASE)
_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)


# ----------------------------------------------------------------------------------------- reading


def _pillow() -> Any:
    try:
        return importlib.import_module("PIL.Image")
    except ImportError as error:
        raise UsageError(
            "autogen.agentchat.contrib.img_utils needs the 'images' extra to decode pictures: "
            'run pip install -e ".[images]" in the clone of this package.'
        ) from error


def _is_pil(value: Any) -> bool:
    return hasattr(value, "save") and hasattr(value, "tobytes")


def _bytes_of(location: str) -> bytes:
    """The bytes that `location` names."""
    uri = _DATA_URI.match(location)
    if uri is not None:
        return _decoded(uri[1])
    if _URL.match(location):
        return _fetched(location)
    try:
        with open(location, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise UsageError(f"the picture {location[:200]!r} can't be read: {error}.") from error


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError) as error:
        raise UsageError(f"{text[:40]!r}... is not base64: {error}.") from error


def _fetched(url: str) -> bytes:
    opener = urllib.request.OpenerDirector()
    # Those of `build_opener` without files and FTP, so that no redirection leads there.
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    try:
        with opener.open(url, timeout=FETCH_TIMEOUT_S) as answer:
            data: bytes = answer.read(MAX_FETCHED_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"the picture {url!r} can't be fetched: {error}.") from error
    if len(data) > MAX_FETCHED_BYTES:
        raise UsageError(
            f"the picture {url!r} has more than {MAX_FETCHED_BYTES} bytes; fetch it yourself and "
            "give the file."
        )
    return data


def _mime_type(data: bytes) -> str | None:
    for signature, mime_type in _SIGNATURES:
        if data.startswith(signature):
            return mime_type
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def get_pil_image(image_file: Any) -> Any:
    """The picture as a `PIL.Image.Image`.

    Args:
        image_file: A path, a data URI, a URL (which is fetched), or a Pillow image, given back as
            it is.

    Raises:
        UsageError: It can't be read or is no picture, or Pillow is not installed.
    """
    return image_file if _is_pil(image_file) else _opened(_bytes_of(image_file))


def _opened(data: bytes) -> Any:
    pillow = _pillow()
    try:
        image = pillow.open(io.BytesIO(data))
        image.load()
    except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError) as error:
        raise UsageError(f"these {len(data)} bytes are no picture: {error}.") from error
    return image


def get_image_data(image_file: Any, use_b64: bool = True) -> str | bytes:
    """The bytes of a picture in a form that models take: PNG, JPEG, GIF or WebP.

    Args:
        image_file: A path, a data URI, a URL (which is fetched), or a Pillow image. Another form of
            file becomes a PNG, which needs Pillow.
        use_b64: Give base64 text instead of bytes.

    Raises:
        UsageError: It can't be read or is no picture, or Pillow is needed and not installed.
    """
    data = b"" if _is_pil(image_file) else _bytes_of(image_file)
    if _mime_type(data) is None:
        data = _png(image_file if _is_pil(image_file) else _opened(data))
    return base64.b64encode(data).decode("ascii") if use_b64 else data


def _png(image: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _to_pil(data: str) -> Any:
    """The picture of base64 text as a `PIL.Image.Image`."""
    return _opened(_decoded(data))


def pil_to_data_uri(image: Any) -> str:
    """A Pillow image as the data URI of a PNG."""
    return convert_base64_to_data_uri(base64.b64encode(_png(image)).decode("ascii"))


def convert_base64_to_data_uri(base64_image: str) -> str:
    """A data URI of the picture; its first bytes tell its type, JPEG where they do not."""
    # 24 characters are the 18 bytes that every signature fits into.
    mime_type = _mime_type(_decoded(base64_image[:24])) or "image/jpeg"
    return f"data:{mime_type};base64,{base64_image}"


def picture_uri(location: str) -> str:
    """What a model is given for a picture: a URL or data URI as it is, a file as a data URI.

    Raises:
        UsageError: The file can't be read or is no picture.
    """
    if _URL.match(location) or _DATA_URI.match(location):
        return location
    data = get_image_data(location)
    assert isinstance(data, str)
    return convert_base64_to_data_uri(data)


# ---------------------------------------------------------------------------------------- messages


def gpt4v_formatter(
    prompt: str, img_format: Literal["uri", "url", "pil"] = "uri"
) -> list[dict[str, Any]]:
    """A text as content parts, each `<img ...>` in it a picture.

    A tag whose picture can't be read stays text.

    Args:
        prompt: Text with tags: `<img picture.png>` or `<img src="picture.png">`.
        img_format: "uri" reads files into data URIs and leaves URLs; "url" leaves every location as
            it is; "pil" decodes every picture, fetching those with a URL.

    Raises:
        UsageError: The format is not known.
    """
    if img_format not in ("uri", "url", "pil"):
        raise UsageError(f"img_format is {img_format!r}; it must be 'uri', 'url' or 'pil'.")
    parts: list[dict[str, Any]] = []
    start = 0
    for tag in parse_tags_from_content("img", prompt):
        try:
            picture = _as(img_format, tag["attr"].get("src", ""))
        except UsageError as error:
            logger.warning("A picture in a message stays text: %s", error)
            continue
        before = prompt[start : tag["match"].start()]
        if before:
            parts.append({"type": "text", "text": before})
        parts.append({"type": "image_url", "image_url": {"url": picture}})
        start = tag["match"].end()
    if prompt[start:] or not parts:
        parts.append({"type": "text", "text": prompt[start:]})
    return parts


def _as(img_format: str, location: str) -> Any:
    if img_format == "pil":
        return get_pil_image(location)
    return location if img_format == "url" else picture_uri(location)


def llava_formatter(prompt: str, order_image_tokens: bool = False) -> tuple[str, list[str]]:
    """A text with a token for each `<img ...>` in it, and the pictures as base64 text.

    Args:
        prompt: Text with tags. Pictures with a URL are fetched.
        order_image_tokens: Number the tokens: `<image 0>`, `<image 1>` instead of `<image>`.
    """
    made, start = "", 0
    images: list[str] = []
    for tag in parse_tags_from_content("img", prompt):
        try:
            data = get_image_data(tag["attr"].get("src", ""))
        except UsageError as error:
            logger.warning("A picture in a message stays text: %s", error)
            continue
        token = f"<image {len(images)}>" if order_image_tokens else "<image>"
        made += prompt[start : tag["match"].start()] + token
        images.append(str(data))
        start = tag["match"].end()
    return made + prompt[start:], images


def message_formatter_pil_to_b64(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`messages` with the Pillow images in their content parts as data URIs; a copy."""
    made = []
    for message in messages:
        content = message.get("content")
        one = dict(message)
        if isinstance(content, list):
            one["content"] = [_without_pil(part) for part in content]
        made.append(one)
    return made


def _without_pil(part: Any) -> Any:
    if not isinstance(part, dict) or part.get("type") != "image_url":
        return part
    picture = part["image_url"]
    url = picture.get("url") if isinstance(picture, dict) else picture
    if not _is_pil(url):
        return part
    kept = picture if isinstance(picture, dict) else {}
    return {**part, "image_url": {**kept, "url": pil_to_data_uri(url)}}


_PATH = re.compile(
    r"(?:https?://)?[^\s<>\"'()\[\]]+\.(?:png|jpe?g|gif|bmp|webp|tiff?)\b(?:\?[^\s<>\"')\]]*)?",
    re.IGNORECASE,
)


def extract_img_paths(paragraph: str) -> list[str]:
    """The paths and URLs in a text that end like the file of a picture, in order."""
    return _PATH.findall(paragraph)


# ------------------------------------------------------------------------------------------ tokens


class _Price(NamedTuple):
    base: int
    per_tile: int


#: Tokens of a picture, by how a model's name begins; the first that fits counts.
#: Source: OpenAI's vision guide, as in AutoGen 0.2.
_PRICES: Final[Mapping[str, _Price]] = {
    "gpt-4o-mini": _Price(2833, 5667),
    "gpt-4": _Price(85, 170),
}
_MAX_EDGE, _SHORT_EDGE, _TILE = 2048, 768, 512


def num_tokens_from_gpt_image(
    image_data: Any, model: str = "gpt-4-vision", low_quality: bool = False
) -> int:
    """Tokens that a picture costs with OpenAI's models of the fourth generation.

    Args:
        image_data: A path, a data URI, a URL (which is fetched), or a Pillow image.
        model: The model's name.
        low_quality: The picture is sent with low detail.

    Raises:
        UsageError: What pictures cost with the model is not known.
    """
    price = next((p for name, p in _PRICES.items() if model.startswith(name)), None)
    if price is None:
        raise UsageError(
            f"what pictures cost with the model {model!r} is not known; names begin with "
            f"{' or '.join(_PRICES)}."
        )
    if low_quality:
        return price.base
    width, height = get_pil_image(image_data).size
    scale = min(1.0, _MAX_EDGE / max(width, height))
    scale *= min(1.0, _SHORT_EDGE / (min(width, height) * scale))
    # Rounded to whole pixels, as a picture is scaled.
    tiles = math.ceil(int(width * scale) / _TILE) * math.ceil(int(height * scale) / _TILE)
    return price.base + price.per_tile * tiles
