"""Dates inside the graph: a model that takes the parts of dates becomes one that takes ISO texts.

Decides which texts are dates (`2024-02-29`, `2024-02-29 13:45`, `2024-02-29T13:45:10`); all others, and days
that no month has, are missing. The calendar is a function of the model, written out in ONNX's own operators.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pandas

import sardonyx
from sardonyx.convert import Converted
from sardonyx.convert.framework import Case, ParityError
from sardonyx.convert.parity import compare

Array = np.ndarray[Any, Any]
DOMAIN = "sardonyx.dates"
DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
ISO = DAY + r"([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?)?"
PARTS = ("year", "month", "day", "weekday", "hour")
QUIET = 4

# The weekday is that of H. Hinnant's days_from_civil, whose year begins in March, in float64.
CALENDAR = f"""
<opset_import: ["" : 21], domain: "{DOMAIN}">
Parts (text) => (year, month, day, weekday, hour)
{{
  is_iso = RegexFullMatch <pattern = "{ISO.replace(chr(92), chr(92) * 2)}"> (text)
  blank = Constant <value_strings = ["0001-01-01"]> ()
  safe = Where (is_iso, text, blank)
  t = Constant <value_strings = ["T"]> ()
  with_t = StringConcat (safe, t)
  by_t, n1 = StringSplit <delimiter = "T"> (with_t)
  zero = Constant <value_int = 0> ()
  one = Constant <value_int = 1> ()
  two = Constant <value_int = 2> ()
  before_t = Gather <axis = -1> (by_t, zero)
  after_t = Gather <axis = -1> (by_t, one)
  space = Constant <value_strings = [" "]> ()
  with_space = StringConcat (before_t, space)
  by_space, n2 = StringSplit <delimiter = " "> (with_space)
  date = Gather <axis = -1> (by_space, zero)
  after_space = Gather <axis = -1> (by_space, one)
  time = StringConcat (after_t, after_space)
  midnight = Constant <value_strings = ["0:"]> ()
  padded = StringConcat (midnight, time)
  by_colon, n3 = StringSplit <delimiter = ":"> (padded)
  clock = Gather <axis = -1> (by_colon, one)
  leading = Constant <value_strings = ["0"]> ()
  clock0 = StringConcat (leading, clock)
  hour_of = Cast <to = 11> (clock0)
  by_dash, n4 = StringSplit <delimiter = "-"> (date)
  fields = Cast <to = 11> (by_dash)
  y = Gather <axis = -1> (fields, zero)
  m = Gather <axis = -1> (fields, one)
  d = Gather <axis = -1> (fields, two)
  k1 = Constant <value = double {{1}}> ()
  k2 = Constant <value = double {{2}}> ()
  k3 = Constant <value = double {{3}}> ()
  k4 = Constant <value = double {{4}}> ()
  k5 = Constant <value = double {{5}}> ()
  k7 = Constant <value = double {{7}}> ()
  k8 = Constant <value = double {{8}}> ()
  k12 = Constant <value = double {{12}}> ()
  k30 = Constant <value = double {{30}}> ()
  k28 = Constant <value = double {{28}}> ()
  k100 = Constant <value = double {{100}}> ()
  k153 = Constant <value = double {{153}}> ()
  k365 = Constant <value = double {{365}}> ()
  k400 = Constant <value = double {{400}}> ()
  by4 = Mod <fmod = 1> (y, k4)
  by100 = Mod <fmod = 1> (y, k100)
  by400 = Mod <fmod = 1> (y, k400)
  k0 = Sub (k1, k1)
  is4 = Equal (by4, k0)
  is100 = Equal (by100, k0)
  is400 = Equal (by400, k0)
  not100 = Not (is100)
  common = Or (not100, is400)
  leaps = And (is4, common)
  leap = Cast <to = 11> (leaps)
  february = Add (k28, leap)
  eighth = Div (m, k8)
  late = Floor (eighth)
  odd_of = Add (m, late)
  odd = Mod <fmod = 1> (odd_of, k2)
  usual = Add (k30, odd)
  is_february = Equal (m, k2)
  last = Where (is_february, february, usual)
  exists = LessOrEqual (d, last)
  is_date = And (is_iso, exists)
  early = LessOrEqual (m, k2)
  shift = Cast <to = 11> (early)
  yy = Sub (y, shift)
  twelve = Mul (shift, k12)
  from_march = Sub (m, k3)
  mm = Add (from_march, twelve)
  m153 = Mul (mm, k153)
  m2 = Add (m153, k2)
  m5 = Div (m2, k5)
  months = Floor (m5)
  y4 = Div (yy, k4)
  f4 = Floor (y4)
  y100 = Div (yy, k100)
  f100 = Floor (y100)
  y400 = Div (yy, k400)
  f400 = Floor (y400)
  y365 = Mul (yy, k365)
  s1 = Add (y365, f4)
  s2 = Sub (s1, f100)
  s3 = Add (s2, f400)
  s4 = Add (s3, months)
  s5 = Add (s4, d)
  s6 = Add (s5, k1)
  week = Mod <fmod = 1> (s6, k7)
  nan = Div (k0, k0)
  year_ = Where (is_date, y, nan)
  month_ = Where (is_date, m, nan)
  day_ = Where (is_date, d, nan)
  weekday_ = Where (is_date, week, nan)
  hour_ = Where (is_date, hour_of, nan)
  year = Cast <to = 1> (year_)
  month = Cast <to = 1> (month_)
  day = Cast <to = 1> (day_)
  weekday = Cast <to = 1> (weekday_)
  hour = Cast <to = 1> (hour_)
}}
"""


def is_iso(texts: pandas.Series) -> bool:
    """Whether all texts of a column, which has no missing ones, are read inside the graph."""
    return bool(texts.astype(str).str.fullmatch(ISO).all())


def as_texts(values: pandas.Series) -> pandas.Series:
    """A column of dates as the model takes it: ISO texts, "" where there is none."""
    if pandas.api.types.is_datetime64_any_dtype(values):
        return values.dt.strftime("%Y-%m-%dT%H:%M:%S").fillna("").astype(object)
    return values.where(values.notna(), "").astype(str).str.strip().astype(object)


def taking_texts(
    converted: Converted, parts: Mapping[str, Sequence[str]], feeds: Mapping[str, Array], answers: list[Array]
) -> Converted:
    """The model with columns of dates in place of their parts, compared with the framework anew.

    Args:
        converted: a model with an input `NAME.PART` for each part of each date.
        parts: the parts by the name of their date.
        feeds: rows for the comparison, with dates as texts [rows, 1].
        answers: what the framework says of them.

    Raises:
        ParityError: it predicts differently than with the parts.
    """
    model = onnx.ModelProto()
    model.CopyFrom(converted.model)
    for name, of_date in parts.items():
        gone = {f"{name}.{part}" for part in of_date}
        kept = [value for value in model.graph.input if value.name not in gone]
        del model.graph.input[:]
        model.graph.input.extend(kept)
        model.graph.input.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.STRING, ["batch", 1])
        )
        outputs = [f"{name}.{part}" if part in of_date else "" for part in PARTS]
        while not outputs[-1]:
            outputs.pop()
        node = onnx.helper.make_node("Parts", [name], outputs, name=f"{name}.calendar", domain=DOMAIN)
        model.graph.node.insert(0, node)
    model.functions.append(onnx.parser.parse_function(CALENDAR))
    model.opset_import.append(onnx.helper.make_opsetid(DOMAIN, 1))
    onnx.checker.check_model(model)
    settings = sardonyx.SessionOptions()
    settings.log_severity_level = QUIET
    session = sardonyx.InferenceSession(model.SerializeToString(), settings)
    found = compare(session, [Case(dict(feeds), answers)], drawn=False)
    if not found.holds:
        wrong = "; ".join(f"{row.name}: {row.wrong}" for row in found.outputs if row.wrong)
        raise ParityError(f"with dates read inside the graph the model predicts differently: {wrong}")
    return dataclasses.replace(converted, model=model, parity=found)
