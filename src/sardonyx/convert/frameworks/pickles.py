"""Opens pickles, joblib files and skops files. Runs code of the file: only a worker may call it."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from typing import Any

from sardonyx.convert.framework import ConvertError

TRUSTED = ("sklearn.", "numpy.", "scipy.", "lightgbm.", "xgboost.", "builtins.", "collections.")


def unpickled(source: str) -> Any:
    """The object of the file; ConvertError if it cannot be read here."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _skops(source) if zipfile.is_zipfile(source) else _joblib(source)
    except ConvertError:
        raise
    except ModuleNotFoundError as error:
        raise ConvertError(
            f"{source} holds objects of the package {error.name!r}, which this Python does not have; "
            "convert it with the Python that wrote it, pass the live object, or give package.module:function "
            "which returns it"
        ) from error
    except AttributeError as error:
        raise ConvertError(
            f"{source} refers to code that is not there ({error}): a class or function of the script that "
            "wrote it, or of another version of the package. Put it into a module that can be imported"
        ) from error
    except Exception as error:
        raise ConvertError(
            f"{source} cannot be opened ({type(error).__name__}: {error}); is the file whole, and were the "
            "versions of its packages like those here?"
        ) from error


def _joblib(source: str) -> Any:
    try:
        import joblib
    except ImportError:
        with open(source, "rb") as file:  # noqa: PTH123
            return pickle.load(file)
    return joblib.load(source)


def _skops(source: str) -> Any:
    import skops.io

    unknown = skops.io.get_untrusted_types(file=source)
    strange = sorted(name for name in unknown if not name.startswith(TRUSTED))
    if strange:
        raise ConvertError(
            f"{source} holds types that are not part of known packages: {', '.join(strange)}; "
            "pass the live object if you trust them"
        )
    return skops.io.load(source, trusted=unknown)
