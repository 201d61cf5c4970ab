"""How a Ray node says that it owns a device: a resource to be had by one job, and labels that hold the offer."""

from __future__ import annotations

import base64
import binascii
import contextlib
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from nas.domain.device_state import DeviceOffer

LABEL: Final = "blocksmith.device-offer"
"""Beginning of the labels; their values are pieces of the offer, because a label holds 63 characters."""
PIECE: Final = 60


def resource_of(device: str) -> str:
    """Ray resource of a device; each node that offers it has one."""
    return f"device:{device}"


def labels_of(offer: DeviceOffer) -> dict[str, str]:
    """An offer as Ray labels: letters and digits in pieces."""
    packed = base64.b32encode(zlib.compress(offer.model_dump_json().encode(), 9)).decode().rstrip("=")
    pieces = [packed[at : at + PIECE] for at in range(0, len(packed), PIECE)]
    return {f"{LABEL}-{number:02}": piece for number, piece in enumerate(pieces)}


def offers_of(nodes: Iterable[Mapping[str, Any]]) -> dict[str, DeviceOffer]:
    """Offers by node, of the living nodes that `ray.nodes` tells of."""
    found = {}
    for node in nodes:
        offer = offer_in(node.get("Labels") or {}) if node["Alive"] else None
        if offer is not None and resource_of(offer.name) in node["Resources"]:
            found[str(node["NodeID"])] = offer
    return found


def offer_in(labels: Mapping[str, str]) -> DeviceOffer | None:
    """The offer that labels hold; None when there is none that could be read."""
    packed = "".join(labels[name] for name in sorted(labels) if name.startswith(f"{LABEL}-"))
    with contextlib.suppress(binascii.Error, zlib.error, ValidationError):
        return DeviceOffer.model_validate_json(zlib.decompress(base64.b32decode(packed + "=" * (-len(packed) % 8))))
    return None
