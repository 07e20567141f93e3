"""The three kinds of frame an asset may take or return, and Arrow between them and the store.

Belongs here: conversions without loss, picked by the annotation. Does not belong here: Dagster, or where rows are kept.
pandas is never imported here: an asset that annotates ``pd.DataFrame`` has imported it already.
"""

from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl
import pyarrow as pa

from audience_pipeline.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

Frame: TypeAlias = "pa.Table | pl.DataFrame | pl.LazyFrame | pd.DataFrame"

KINDS = "pyarrow.Table, polars.DataFrame, polars.LazyFrame or pandas.DataFrame"


def to_arrow(frame: Any, asset: str) -> pa.Table:  # noqa: ANN401 - an asset may return anything; the rest is refused
    """Return what ``asset`` returned as an Arrow table, in Arrow's plain types.

    Whether a text is a large one is the frame library's business: an asset that changes its annotation writes the same.

    Raises:
        UsageError: it is none of the kinds of frame.
    """
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, pl.DataFrame):
        frame = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    elif is_pandas(type(frame)):
        frame = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    if isinstance(frame, pa.Table):
        return frame.cast(pa.schema([field.with_type(_plain(field.type)) for field in frame.schema]))
    raise _unsupported(asset, "returned", type(frame))


def from_arrow(rows: pa.Table, kind: Any, asset: str) -> Frame:  # noqa: ANN401 - an annotation may be anything
    """Return ``rows`` as the ``kind`` a parameter is annotated with; without an annotation, as they are.

    Raises:
        UsageError: it is none of the kinds of frame.
    """
    if kind is pa.Table or kind is Any:
        return rows
    if kind is pl.DataFrame:
        return _polars(rows)
    if kind is pl.LazyFrame:
        return _polars(rows).lazy()
    if is_pandas(kind):
        return _pandas(rows)
    raise _unsupported(asset, "asked for as", kind)


def is_pandas(kind: Any) -> bool:  # noqa: ANN401 - any type, or what stands in the place of one
    """Return whether ``kind`` is pandas' frame, without importing pandas to find out."""
    return getattr(kind, "__name__", "") == "DataFrame" and kind.__module__.partition(".")[0] == "pandas"


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type without the spellings that say only how values are laid out in memory."""
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_list(kind) or pa.types.is_list(kind):
        return pa.list_(_plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    return pa.binary() if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind) else kind


def _polars(rows: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(rows)
    return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()


def _pandas(rows: pa.Table) -> "pd.DataFrame":
    """Integers become pandas' nullable ones: as floats, those beyond 2**53 would change."""
    import pandas as pd  # noqa: PLC0415 - only where an asset asks for its frames

    nullable = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype(), pa.bool_(): pd.BooleanDtype()}
    frame: pd.DataFrame = rows.to_pandas(types_mapper=nullable.get)
    return frame


def _unsupported(asset: str, how: str, kind: Any) -> UsageError:  # noqa: ANN401 - see from_arrow
    name = getattr(kind, "__name__", str(kind))
    return UsageError(
        f"asset {asset}",
        found=f"a frame {how} {getattr(kind, '__module__', '')}.{name}",
        expected=KINDS,
        remedy="Annotate the parameter or the result with one of them.",
    )
