"""The tushare library behind one question: rows of an interface, all pages, errors sorted.

The token comes from the environment alone. It is held by the client only: not by a setting, a
representation, an error's text, a digest or a file.
"""

import os
from dataclasses import dataclass
from typing import Any

import pandas as pd

from quant.core.errors import ProviderError
from quant.core.types import Frame
from quant.data.providers.download import Busy, Caller, Malformed

TOKEN = "TUSHARE_TOKEN"
_ADDRESS = "_DataApi__http_url"


class Denied(Exception):
    """The token may not use this interface (Tushare grants them by points)."""


@dataclass(frozen=True)
class Interface:
    """One interface of Tushare.

    text, numbers : the fields that are asked for, by type
    page          : rows in one answer at most; a full page is followed by the next
    """

    name: str
    text: tuple[str, ...]
    numbers: tuple[str, ...] = ()
    page: int = 5000

    @property
    def fields(self) -> tuple[str, ...]:
        """All fields."""
        return self.text + self.numbers


class Pro:
    """Tushare's answers by the real client.

    base_url : address of the data interface; "" = the library's own
    Raises ProviderError where the environment has no token.
    """

    def __init__(self, caller: Caller, base_url: str = "") -> None:
        token = os.environ.get(TOKEN, "").strip()
        if not token:
            raise ProviderError(
                f"tushare needs a token and {TOKEN} is not set; get one at tushare.pro (your "
                f"account, interface token) and export {TOKEN}=<token>, or use data=files."
            )
        from tushare.pro.client import DataApi

        self.caller = caller
        self._client = DataApi(token, timeout=caller.patience.timeout)
        if base_url:
            if not hasattr(DataApi, _ADDRESS):
                raise ProviderError(
                    "this version of tushare has no address that can be changed; leave base_url "
                    "empty or install the locked version."
                )
            setattr(self._client, _ADDRESS, base_url.rstrip("/"))

    def rows(self, interface: Interface, **params: Any) -> Frame:
        """Return all rows of `interface` for `params`, its text as strings, its numbers floats.

        A number that can not be read becomes null: the row is then set aside and counted.
        Raises ProviderError, Malformed, or Denied where the token may not use the interface.
        """
        pages: list[Frame] = []
        while True:
            page = self._page(interface, len(pages) * interface.page, params)
            pages.append(page)
            if len(page) < interface.page:
                break
        return pd.concat(pages, ignore_index=True) if len(pages) > 1 else pages[0]

    def _page(self, interface: Interface, offset: int, params: dict[str, Any]) -> Frame:
        asked = {k: v for k, v in params.items() if k != "fields"}
        what = f"{interface.name} {' '.join(f'{k}={v}' for k, v in sorted(asked.items()))}".strip()

        def ask() -> Frame:
            try:
                frame = self._client.query(
                    interface.name,
                    fields=",".join(interface.fields),
                    limit=interface.page,
                    offset=offset,
                    **params,
                )
            except Exception as error:
                raise self._cause(error) from None
            return _typed(interface, frame)

        return self.caller.call(what, ask)

    def _cause(self, error: Exception) -> Exception:
        """Sort an error of the client by its text; the token is cut out of it."""
        import requests

        text = str(error).replace(os.environ.get(TOKEN, "").strip() or "\0", "***")[:200]
        if isinstance(error, requests.exceptions.JSONDecodeError | ValueError | KeyError):
            return Malformed(f"{type(error).__name__}: {text}")
        if isinstance(error, OSError):
            return Busy(f"{type(error).__name__}: no connection")
        if "每分钟" in text or "频率" in text:
            return Busy(text)
        if any(word in text for word in ("每小时", "每天", "每日")):
            return ProviderError(
                f"tushare's quota is used up ({text}); everything downloaded so far is kept: run "
                "the same command again when the quota is renewed."
            )
        if "token" in text.lower() or "令牌" in text:
            return ProviderError(
                f"tushare refused the token in {TOKEN} ({text}); copy it anew from tushare.pro "
                "(your account, interface token)."
            )
        if "权限" in text or "积分" in text:
            return Denied(text)
        if isinstance(error, TypeError | AttributeError | IndexError):
            return Malformed(f"{type(error).__name__}: {text}")
        return Busy(text)


def _typed(interface: Interface, frame: Frame) -> Frame:
    if not len(frame.columns):
        # the client turns every HTTP error, 429 too, into a frame without columns
        raise Busy("an HTTP error, which the tushare client does not name")
    lacking = [name for name in interface.fields if name not in frame.columns]
    if lacking:
        raise Malformed(f"{interface.name} lacks the fields {lacking}")
    out = frame[list(interface.fields)].copy()
    for name in interface.text:
        out[name] = out[name].astype("string")
    for name in interface.numbers:
        out[name] = pd.to_numeric(out[name], errors="coerce").astype("float64")
    return out
