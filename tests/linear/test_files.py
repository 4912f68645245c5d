"""Files as people have them: the same eight houses, written in many ways, are fitted, or refused with what helps."""

import bz2
import gzip
import io
import lzma
import os
import pickle
import re
import shlex
import subprocess
import sys
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
import xlwt

from linear import DataError, __main__, files, least_squares, pandas_files, read_csv
from linear.files import Format, open_table
from linear.numerals import decimal_marks

from .test_demo import DRAWN, NORRIS, PICTURES, QUICK_COMMAND, ROOT, demo, environment, png_files, rows

AREA = np.array([1204.5, 95.25, 81.0, 130.75, 2310.0, 64.5, 150.0, 1088.125])
ROOMS = np.array([3.0, 4, 2, 5, 9, 1, 6, 3])
PRICE = np.array([204024.0, 304100.5, 150250.25, 99000.0, 1204999.0, 87000.0, 310500.0, 154024.0])
NAMES = ["area", "rooms", "price"]
HOUSES = np.column_stack([AREA, ROOMS, PRICE])


def number(value, decimal=".", thousands=""):
    """A number with these marks, without zeros behind the decimal mark."""
    text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return text.translate({ord(","): thousands, ord("."): decimal})


def text(delimiter=",", names=NAMES, columns=HOUSES, quote="", end="\n", **marks):
    """The houses as a text file."""
    lines = [names, *([quote + number(value, **marks) + quote for value in row] for row in columns)]
    return "".join(delimiter.join(line) + end for line in lines)


def excel(sheets):
    """An Excel file with these rows in its sheets."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, lines in sheets.items():
        sheet = book.create_sheet(title)
        for line in lines:
            sheet.append(line)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def parquet(**columns):
    content = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), content)
    return content.getvalue()


def archive(name, content, **others):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {name: content, **others}.items():
            archive.writestr(name, content)
    return file.getvalue()


def old_excel(sheets):
    """A file of Excel 97 to 2003 (.xls) with these rows in its sheets."""
    book = xlwt.Workbook()
    for title, lines in sheets.items():
        sheet = book.add_sheet(title)
        for row, line in enumerate(lines):
            for column, cell in enumerate(line):
                sheet.write(row, column, cell)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def open_document(sheets):
    """A spreadsheet of LibreOffice (.ods) with these rows in its sheets."""

    def xml(cell):
        kind = f'"string"><text:p>{cell}</text:p>' if isinstance(cell, str) else f'"float" office:value="{cell!r}">'
        return f"<table:table-cell office:value-type={kind}</table:table-cell>"

    spaces = "".join(f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text"))
    tables = ""
    for title, lines in sheets.items():
        rows = "".join(f"<table:table-row>{''.join(map(xml, line))}</table:table-row>" for line in lines)
        tables += f'<table:table table:name="{title}">{rows}</table:table>'
    content = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    document = f"<office:document-content{spaces}>{content}</office:document-content>"
    files = {"content.xml": document, "META-INF/manifest.xml": "<manifest/>"}
    return archive("mimetype", "application/vnd.oasis.opendocument.spreadsheet", **files)


FRAME = pd.DataFrame(HOUSES, columns=NAMES)
ONES = pd.DataFrame({"a": [1.0] * 251, "b": [2.0] * 251})


def written(method, frame=FRAME, **options):
    """What a method of a table of pandas writes."""
    content = io.BytesIO()
    getattr(frame, method)(content, **options)
    return content.getvalue()


def columns_and(*names, first):
    """The houses as a text file, with other columns before them."""
    return "".join(f"{before},{line}\n" for before, line in zip([",".join(names), *first], text().splitlines()))


def feather_with_index():
    """What pandas itself does not write, but pyarrow does."""
    content = io.BytesIO()
    frame = FRAME.set_index(pd.Index([*b"houses78"], name="id"))
    with pyarrow.ipc.new_file(content, pyarrow.Schema.from_pandas(frame)) as file:
        file.write_table(pyarrow.Table.from_pandas(frame))
    return content.getvalue()


REGIONS = ["north", "south", "west", "south", "north", "west", "north", "south"]
DAYS = [date(2023, 12, 30) + timedelta(days=int(days)) for days in (3, 0, 45, 7, 400, 16, 22, 31)]

# Each file with the options that it needs, if any, and what is said of it.
FITTED = {
    "plain": (text(), {}, []),
    "Windows": ("\ufeff" + text(end="\r\n"), {}, []),
    "semicolons": (text(";"), {}, ["semicolons"]),
    "semicolons, decimal commas": (text(";", decimal=","), {}, ["semicolons, decimal commas"]),
    "decimal commas in quotes": (text(",", decimal=",", quote='"'), {}, ["decimal commas"]),
    "Germany": (
        text(";", decimal=",", thousands="."),
        {},
        ["semicolons, decimal commas, points between thousands"],
    ),
    "Switzerland": (text(";", thousands="’"), {}, ["semicolons, apostrophes between thousands"]),
    "France": (text("\t", decimal=",", thousands="\u202f"), {}, ["tabs, decimal commas, spaces between thousands"]),
    "thousands": (text(",", thousands=",", quote='"'), {}, ["commas between thousands"]),
    "tabs": (text("\t"), {}, ["tabs"]),
    "bars": (text("|"), {}, ["vertical bars"]),
    "spaces": ("  " + text("   ", end="  \n"), {}, ["spaces"]),
    "Excel's own line": ("sep=;\n" + text(";"), {}, ["semicolons"]),
    "dollars": (text().replace(",204024", ",$204024").replace(",87000", ",$87000"), {}, ["'price' in $"]),
    "euros": (
        text(";", decimal=",", thousands=".", end=" €\n").replace("price €", "price").encode("cp1252"),
        {},
        ["semicolons, decimal commas, points between thousands, 'price' in €, Windows-1252"],
    ),
    "per cent": (text(end="%\n").replace("price%", "price"), {}, ["'price' in %"]),
    "UTF-16": (text("\t").encode("utf-16"), {}, ["tabs, UTF-16"]),
    "UTF-16, big-endian": (b"\xfe\xff" + text().encode("utf-16-be"), {}, ["UTF-16"]),
    "UTF-16 without a mark": (text().encode("utf-16-le"), {"encoding": "utf-16-le"}, []),
    "UTF-16 without a mark, as it is called": (text().encode("utf-16-le"), {"encoding": "UTF-16"}, []),
    "UTF-16 without a mark, the other way round": (text().encode("utf-16-be"), {"encoding": "utf_16"}, []),
    "UTF-32": (text().encode("utf-32"), {}, ["UTF-32"]),
    "gzip": (gzip.compress(text(";").encode()), {}, ["gzip, semicolons"]),
    "an index": (
        text(names=["", *NAMES], columns=np.c_[np.arange(8), HOUSES]),
        {},
        ["column 1 has no name, so it is left out"],
    ),
    "an index that pandas has read": (
        text(names=["Unnamed: 0", *NAMES], columns=np.c_[np.arange(8), HOUSES]),
        {},
        ["column 1 has no name, so it is left out"],
    ),
    "separators at the end": (text(end=",\n"), {}, ["column 4 has no name, so it is left out"]),
    "a column to drop": (columns_and("city", first=REGIONS), {"drop": ["city"]}, []),
    "gaps": (
        text() + "7,,99\n,3,\n1,NA,3\n",
        {"missing": "drop"},
        ["left out 3 rows of 11 with missing values (in 'area', 'rooms', 'price')"],
    ),
    "Excel": (excel({"houses": [NAMES, *HOUSES.tolist()]}), {}, []),
    "Excel with a title row that is blank, and text": (
        excel({"houses": [[], NAMES, *([area, rooms, number(price, ",", ".")] for area, rooms, price in HOUSES)]}),
        {},
        ["decimal commas, points between thousands"],
    ),
    "a sheet of several": (
        excel({"notes": [["nothing"]], "houses": [NAMES, *HOUSES.tolist()]}),
        {"sheet": "houses"},
        [],
    ),
    "the first sheet of several": (
        excel({"houses": [NAMES, *HOUSES.tolist()], "notes": [["nothing"]]}),
        {},
        ["the sheet 'houses', the first of 2"],
    ),
    "a text that goes on for many lines": (
        "".join(
            f'"{60 * note}";{line}\n' for note, line in zip(["", "long\n", *7 * "x"], text(";").splitlines())
        ).replace('""', "note", 1),
        {"drop": ["note"]},
        ["semicolons"],
    ),
    "a text beside numbers with three decimals": (
        text(names=["note", *NAMES], columns=[], end=",x\n")
        + "".join(f'"1,2 or 3",{line},1\n' for line in text().splitlines()[1:]),
        {"features": ["area", "rooms"], "target": "price"},
        [],
    ),
    "Parquet": (parquet(area=AREA.astype("float32"), rooms=ROOMS.astype(int), price=PRICE), {}, []),
    "Parquet, an index with a name": (
        written("to_parquet", FRAME.assign(id=[*b"houses78"]).set_index("id")),
        {"drop": ["id"]},
        [],
    ),
    "Parquet, an index without a name": (
        written("to_parquet", FRAME.set_axis([*"fedcbahg"])),
        {},
        ["column 1 has no name, so it is left out"],
    ),
    "Parquet, types that pandas marks missing values in": (
        written("to_parquet", pd.concat([FRAME, FRAME[:2].assign(rooms=None)]).astype({"rooms": "Int64", "area": "Float32"})),
        {"missing": "drop"},
        ["column 1 has no name, so it is left out", "left out 2 rows of 10 with missing values (in 'rooms')"],
    ),
    "Excel before 2007": (old_excel({"houses": [[], NAMES, *HOUSES.tolist()]}), {}, []),
    "a sheet of several, before 2007": (
        old_excel({"notes": [["nothing"]], "houses": [NAMES, *HOUSES.tolist()]}),
        {"sheet": "houses"},
        [],
    ),
    "LibreOffice": (
        open_document({"houses": [NAMES, *HOUSES.tolist()], "notes": [["nothing"]]}),
        {},
        ["the sheet 'houses', the first of 2"],
    ),
    "Feather": (written("to_feather"), {}, []),
    "ORC": (written("to_orc"), {}, []),
    "Stata": (written("to_stata", write_index=False), {}, []),
    "Stata 13": (written("to_stata", write_index=False, version=117), {}, []),
    "Feather, an index with a name": (feather_with_index(), {"drop": ["id"]}, []),
    "JSON": (FRAME.to_json(orient="records", double_precision=15), {}, []),
    "JSON, by columns": ("\ufeff" + FRAME.to_json(indent=2), {}, []),
    "JSON lines": (gzip.compress(FRAME.to_json(orient="records", lines=True).encode()), {}, ["gzip"]),
    "JSON with numbers in text": (
        '[{"area": "1.204,5", "rooms": 3, "price": 204024},\n'
        + FRAME[1:].to_json(orient="records")[1:],
        {},
        ["decimal commas, points between thousands"],
    ),
    "JSON in UTF-16": (FRAME.to_json(orient="records").encode("utf-16"), {}, ["UTF-16"]),
    "JSON in Latin-1": (FRAME.assign(größe=1).to_json(orient="records", force_ascii=False).encode("latin-1"), {"drop": ["größe"]}, ["Latin-1"]),
    "spellings of what is missing": (
        text() + "".join(f"1,{gap},3\n" for gap in ("#DIV/0!", "#VALUE!", "#REF!", "n.a.", "\\N", "NaN", "?")),
        {"missing": "drop"},
        ["left out 7 rows of 15 with missing values (in 'rooms')"],
    ),
    "a header in quotes": (text(names=[f'"{name}"' for name in NAMES]), {}, []),
}


@pytest.mark.parametrize("name", FITTED)
def test_the_same_houses_in_every_file(tmp_path, name):
    content, options, notes = FITTED[name]
    file = tmp_path / "houses"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    data = read_csv(file, **options)
    assert (data.features, data.target) == (["area", "rooms"], "price")
    np.testing.assert_array_equal(np.column_stack([data.x, data.y]), HOUSES)
    assert data.notes == notes


AMBIGUOUS = "which is 204024 (--decimal .) or 204.024 (--decimal ,); nothing in the file says which, so give the option"
COMMAS = 'a,b\n1,"204,024"\n2,"304,100"\n5,"150,250"\n'
POINTS = "a;b\n1;204.024\n2;304.100\n5;900\n"

REFUSED = {
    "commas that may be either": (COMMAS, {}, f", line 2: column 'b' holds '204,024', {AMBIGUOUS}"),
    "points that may be either": (
        POINTS,
        {},
        ", line 2: column 'b' holds '204.024', which is 204.024 (--decimal .) or 204024 (--decimal ,); "
        "nothing in the file says which, so give the option",
    ),
    "text in a sheet that may be either": (
        excel({"s": [["a", "b"], [1, "204,024"], [2, 7]]}),
        {},
        f", row 2: column 'b' holds '204,024', {AMBIGUOUS}",
    ),
    "both marks": (
        "a;b\n1;1,5\n2;304\n3.25;2\n",
        {},
        ", line 2: column 'b' holds '1,5', which is a number only if the decimal mark is a comma, but column 'a' holds '3.25' in line 4",
    ),
    "not the mark that is given": (
        "a;b\n1;1,5\n2;304\n3;2\n",
        {"decimal": "."},
        ", line 2: column 'b' holds '1,5', which is a number only if the decimal mark is a comma, but --decimal . is given",
    ),
    "points between thousands beside commas between columns": (
        "a,b\n1.234.567,1\n2,3\n",
        {},
        ", line 2: column 'a' holds '1.234.567', which is a number only if the decimal mark is a comma (--decimal ,)",
    ),
    "two currencies": (
        "b,a\n$1,2\n€3,4\n$5,7\n",
        {},
        ", line 2: column 'b' holds '$1', but '€3' in line 3, in another unit; write them all alike",
    ),
    "per cent and not": (
        "b,a\n1%,2\n3,4\n5%,7\n",
        {},
        ", line 2: column 'b' holds '1%', but '3' in line 3, in another unit; write them all alike",
    ),
    "numbers behind letters": (
        "id,b\nABC123,1\nABC124,2\nABC127,3\n",
        {},
        ", line 2: column 'id' is not numeric, it holds 'ABC123'; leave it out with --drop id, "
        "or turn its values into columns of 0 and 1 with --categorical id",
    ),
    "years of two digits": (
        "a,b\n13.02.99,1\n14.02.04,2\n",
        {"dates": ["a"]},
        ", line 2: column 'a' holds '13.02.99', which is not a date, or not in the same form as the others; "
        "say how they are written with --date-format, for example '%d.%m.%Y'",
    ),
    "kinds without rows": (
        "c,b\n",
        {"categorical": ["c"]},
        ": at least 2 rows are needed for 2 parameters (the intercept and one slope for each feature), but there are 0",
    ),
    "text": (
        columns_and("city", first=REGIONS),
        {},
        ", line 2: column 'city' is not numeric, it holds 'north'; leave it out with --drop city, "
        "or turn its values into columns of 0 and 1 with --categorical city",
    ),
    "a date": (
        columns_and("sold or not", first=DAYS),
        {},
        ", line 2: column 'sold or not' holds '2024-01-02', a date; count its days with --dates 'sold or not', "
        "or leave it out with --drop 'sold or not'",
    ),
    "dates that may be either": (
        "a,b\n01/02/2024,1\n03/02/2024,2\n04/05/2024,4\n",
        {"dates": ["a"]},
        ", line 2: column 'a' holds '01/02/2024', which is 2024-02-01 (--date-format %d/%m/%Y) or 2024-01-02 "
        "(--date-format %m/%d/%Y)",
    ),
    "dates that are none": (
        "a,b\n13/02/2024,1\n13/13/2024,2\n04/05/2024,4\n",
        {"dates": ["a"]},
        ", line 3: column 'a' holds '13/13/2024', which is not a date, or not in the same form as the others; "
        "say how they are written with --date-format, for example '%d.%m.%Y'",
    ),
    "dates in another form": (
        "a,b\n13/02/2024,1\n13/13/2024,2\n04/05/2024,4\n",
        {"dates": ["a"], "date_format": "%Y"},
        ", line 2: column 'a' holds '13/02/2024', which is not a date of the form %Y",
    ),
    "too many kinds": (
        "id,b\n" + "".join(f"x{i},{i}\n" for i in range(51)),
        {"categorical": ["id"]},
        ": the column 'id' has 51 different values, and at most 50 can become columns of 0 and 1; "
        "leave it out with --drop id",
    ),
    "one kind": (
        "id,b\nx,1\nx,2\n",
        {"categorical": ["id"]},
        ": the feature 'id' is constant ('x' in every row), so it says nothing; leave it out with --drop id",
    ),
    "a kind without a name": (
        "a,c,b\n1,x,2\n2,,3\n4,y,7\n3,x,1\n",
        {"categorical": ["c"], "missing": "mean"},
        ": the column 'c' has missing values, and text has no mean; leave such rows out with --missing drop",
    ),
    "a mean that is too large": (
        "a,c,b\n1,1e308,2\n2,1e308,3\n4,,7\n5,2,2\n",
        {"missing": "mean"},
        ": the values of column 'c' cannot be squared in floating point; rescale them",
    ),
    "a column of nothing": (
        "a,b\n,2\n,3\n,7\n",
        {},
        ": the column 'a' has no values; leave it out with --drop a",
    ),
    "values only beside no target": (
        "a,c,b\n1,,2\n2,3,\n4,,7\n",
        {"missing": "mean"},
        ": the column 'c' has no values in rows that have a target",
    ),
    "a gap in every row": (
        "a,b\n,2\n1,\n,7\n",
        {"missing": "drop"},
        ": at least 2 rows are needed for 2 parameters (the intercept and one slope for each feature), but there are 0",
    ),
    "another encoding": (
        b"a,b\xff\x81\n",
        {},
        " is not a text file in UTF-8 (byte 4 cannot be read); name its encoding with --encoding",
    ),
    "UTF-16 without a mark": (
        text().encode("utf-16-le"),
        {},
        " is not a text file (it holds a zero byte); if it is UTF-16, say --encoding utf-16-le",
    ),
    "half a character": (
        "a,b\n1,2\n".encode("utf-16") + b"a",
        {},
        " is not a text file in UTF-16 (byte 19 cannot be read); name its encoding with --encoding",
    ),
    "colons": (
        "a:b\n1:2\n3:4\n",
        {},
        " has one column, 'a:b': a target and at least one feature are needed; if there are more, say with --delimiter "
        "what separates them; if that is a title, delete it",
    ),
    "half a gzip file": (
        gzip.compress(text().encode())[:-12],
        {},
        " is compressed with gzip, and cannot be unpacked: Compressed file ended before the end-of-stream marker was reached",
    ),
    "an archive": (
        archive("notes.txt", b"a,b"),
        {},
        " is a ZIP archive, but no spreadsheet; unpack it, or save it as .xlsx or as CSV",
    ),
    "half an archive": (
        archive("notes.txt", b"a,b")[:-5],
        {},
        " is a ZIP archive, and cannot be unpacked: File is not a zip file",
    ),
    "a password": (
        b"\xd0\xcf\x11\xe0\xa1" + "EncryptedPackage".encode("utf-16-le"),
        {},
        " has a password; save it without one, or as CSV",
    ),
    "a value in the last corner of a sheet": (
        archive("xl/workbook.xml", b"", **{"xl/worksheets/sheet1.xml": '<worksheet><dimension ref="A1:XFD1048576"/>'}),
        {},
        " has a sheet that goes on to the cell XFD1048576; delete what is far from the table, or save the table as CSV",
    ),
    "a cell that shows an error": (
        excel({"s": [["a", "b"], [1, 2], ["#DIV/0!", 3], [5, 7]]}),
        {},
        ": 1 row has missing values; the first is row 3, column 'a' (an empty cell, an error such as #DIV/0!, or a formula "
        "that was saved without its value); leave such rows out with --missing drop, "
        "or put in the mean of the column with --missing mean",
    ),
    "an error of a spreadsheet in text": (
        "a,b\n1,2\n#DIV/0!,3\n5,7\n",
        {},
        ": 1 row has missing values; the first is line 3, column 'a', which holds '#DIV/0!'; leave such rows out with "
        "--missing drop, or put in the mean of the column with --missing mean",
    ),
    "a gap among kinds": (
        "a,c,b\n1,x,2\n2,,3\n4,y,7\n3,x,1\n",
        {"categorical": ["c"]},
        ": 1 row has missing values; the first is line 3, column 'c'; leave such rows out with --missing drop",
    ),
    "a row of totals": (
        "a,b\n1,2\n2,3\n5,7\nTotal,12\n",
        {},
        ", line 5: column 'a' holds 'Total', but most of its values are numbers; correct the value, or delete its row, "
        "or leave the cell empty",
    ),
    "a title above a table": (
        excel({"s": [["Houses"], [], NAMES, *HOUSES.tolist()]}),
        {},
        ": of 3 columns, only 'Houses' has a name; if that is a title, delete what stands above the names of the columns",
    ),
    "a title above a text": (
        "Houses in 2024\n\n" + text(),
        {},
        " has one column, 'Houses in 2024': a target and at least one feature are needed; if there are more, say with --delimiter "
        "what separates them; if that is a title, delete it",
    ),
    "a name twice": ("a,a,b\n1,2,3\n", {}, ": the header has 2 columns named 'a'; give each a name of its own"),
    "more features than rows": (
        "a,b,c\n1,2,3\n2,1,4\n",
        {},
        ": at least 3 rows are needed for 3 parameters (the intercept and one slope for each feature), but there are 2; "
        "name fewer features with --features",
    ),
    "a constant feature": (
        "a,b,c\n1,3,3\n2,3,4\n4,3,1\n",
        {},
        ": the feature 'b' is constant (3 in every row), so its slope cannot be told from the intercept; leave it out with --drop b",
    ),
    "a feature that follows from others": (
        "a,b,c\n1,3,3\n2,4,4\n4,6,1\n",
        {},
        ": the feature 'b' is a linear combination of the features before it, so the slopes are not unique; "
        "leave it out with --drop b",
    ),
    "a kind that follows from others": (
        "a,k,c\n1,x,3\n0,y,4\n1,x,1\n0,y,7\n",
        {"categorical": ["k"]},
        ": the feature 'k=y' is a linear combination of the features before it, so the slopes are not unique; "
        "leave out 'k' with --drop k",
    ),
    "UTF-8 that is called UTF-16": (
        "\ufeffa,b\n1,2\n".encode(),
        {"encoding": "utf-16"},
        " is not a text file in utf-16-le (byte 11 cannot be read); name its encoding with --encoding",
    ),
    "UTF-32 without a mark": (
        text().encode("utf-32-le"),
        {"encoding": "utf-32"},
        " is not a text file in utf-32 (byte 1 cannot be read); name its encoding with --encoding",
    ),
    "UTF-16 without a mark, the other way round": (
        text().encode("utf-16-be"),
        {},
        " is not a text file (it holds a zero byte); if it is UTF-16, say --encoding utf-16-be",
    ),
    "three currencies or none": (
        "b,a\n1,2\n$3,4\n€5,7\n",
        {},
        ", line 3: column 'b' holds '$3', but '€5' in line 4, in another unit; write them all alike",
    ),
    "dates of which only some have a time zone": (
        "a,b\n2024-01-02T10:00Z,1\n2024-01-03T10:00,2\n2024-01-05T10:00Z,4\n",
        {"dates": ["a"]},
        ", line 3: column 'a' holds '2024-01-03T10:00', which has no time zone, but '2024-01-02T10:00Z' has one; "
        "write them all alike",
    ),
    "a date before the first year": (
        "a,b\n0001-01-01T00:00+01:00,1\n2024-01-03T10:00Z,2\n",
        {"dates": ["a"]},
        ", line 2: column 'a' holds '0001-01-01T00:00+01:00', which is not a date, or not in the same form as the others; "
        "say how they are written with --date-format, for example '%d.%m.%Y'",
    ),
    "JSON without names": (
        "[[1, 2], [3, 4], [5, 7]]",
        {},
        " cannot be read as a JSON file: the columns have numbers in place of names; "
        'expected a list of objects, such as [{"area": 81, "price": 204}]',
    ),
    "a program": (
        pickle.dumps(FRAME),
        {},
        " is a pickle of Python, which is not opened, because it may run programs; save the table as Parquet or CSV",
    ),
    "a page": (
        "\n<HTML><table><tr><td>1</td></tr></table></HTML>",
        {},
        " is a page of HTML or XML; open it in a spreadsheet program, and save it as .xlsx or CSV",
    ),
    "bzip2": (bz2.compress(text().encode()), {}, " is compressed with bzip2; unpack it first"),
    "xz": (lzma.compress(text().encode()), {}, " is compressed with xz; unpack it first"),
    "HDF5": (b"\x89HDF\r\n\x1a\n", {}, " is an HDF5 file; save the table in it as Parquet or as CSV"),
    "SPSS": (b"$FL2@(#) SPSS", {}, " is a file of SPSS; save it as a Stata file (.dta) or as CSV"),
    "a text in JSON": (
        '{"a": 1, "b": 2}\n{"a": "tall", "b": 3}\n',
        {},
        ", row 2: column 'a' is not numeric, it holds 'tall'; leave it out with --drop a, "
        "or turn its values into columns of 0 and 1 with --categorical a",
    ),
    "objects in JSON": (
        '{"data": [{"a": 1, "b": 2}], "next": 1}',
        {},
        ", row 1: column 'data' is not numeric, it holds \"{'a': 1, 'b': 2}\"; leave it out with --drop data, "
        "or turn its values into columns of 0 and 1 with --categorical data",
    ),
    "lists in Parquet": (
        parquet(a=[[1, 2], None, [3]], b=[1.0, 2.0, 4.0]),
        {},
        ", row 1: column 'a' is not numeric, it holds '[1, 2]'; leave it out with --drop a, "
        "or turn its values into columns of 0 and 1 with --categorical a",
    ),
    "PDF": (b"%PDF-1.7\x00", {}, " is a PDF document; save the table in it as CSV"),
    "a sheet that is not there": (excel({"a": [], "b": []}), {"sheet": "c"}, " has no sheet 'c', only 'a', 'b'"),
    "a sheet of notes before the table": (
        excel({"notes": [["to do"]], "houses": [NAMES, *HOUSES.tolist()]}),
        {},
        " has one column, 'to do': a target and at least one feature are needed; this is the sheet 'notes', the first of 2, "
        "and --sheet names another",
    ),
    "a column that is in another sheet": (
        open_document({"notes": [["to do", "done"]], "houses": [NAMES, *HOUSES.tolist()]}),
        {"target": "price"},
        " has no column 'price', only 'to do', 'done'; this is the sheet 'notes', the first of 2, and --sheet names another",
    ),
    "an empty sheet before the table": (
        old_excel({"sheet1": [], "houses": [NAMES, *HOUSES.tolist()]}),
        {},
        " is empty: expected a header line with the names of the columns; this is the sheet 'sheet1', the first of 2, "
        "and --sheet names another",
    ),
    "an empty sheet": (excel({"a": []}), {}, " is empty: expected a header line with the names of the columns"),
    "yes and no": (
        parquet(a=[True, False, True], b=[1.0, 2.0, 4.0]),
        {},
        ", row 1: column 'a' is not numeric, it holds 'True'; leave it out with --drop a, "
        "or turn its values into columns of 0 and 1 with --categorical a",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_that_are_refused(tmp_path, name):
    content, options, message = REFUSED[name]
    file = tmp_path / "file"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as info:
        read_csv(file, **options)
    assert str(info.value) == f"{file}{message}"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (archive("xl/workbook.xml", b"nonsense"), "a spreadsheet"),
        (b"\xd0\xcf\x11\xe0 a letter of old Word", "a spreadsheet"),
        (open_document({"s": [NAMES]}).replace(b"content.xml", b"contest.xml"), "a spreadsheet"),
        (b"PAR1 and nothing else", "a Parquet file"),
        (written("to_feather")[:-20], "a Feather file"),
        (written("to_orc").replace(b"area", b"\xff\xff\xff\xff"), "an ORC file"),
        (written("to_stata")[:-20], "a Stata file"),
        ('[{"a": 1, "b": 2},'.encode(), "a JSON file"),
        ('{"a": 1, "b": 2}\n{"a": 1,'.encode(), "a JSON file"),
        ('{"a": [1, 2], "b": [1, 2, 3]}'.encode(), "a JSON file"),
    ],
)
def test_files_that_are_broken(tmp_path, content, kind):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DataError, match=rf"^{re.escape(str(tmp_path / 'file'))} cannot be read as {kind}: \S[^\n]*$"):
        read_csv(tmp_path / "file")


def test_an_archive_that_lacks_bytes(tmp_path):
    content = archive("mimetype", b"application/vnd.oasis.opendocument.spreadsheet")
    for count in (1, 4, 20):
        (tmp_path / "file").write_bytes(content[:20] + content[20 + count :])
        with pytest.raises(DataError, match=r"^\S+ is a ZIP archive, and cannot be unpacked: .{1,100}$"):
            read_csv(tmp_path / "file")


def test_the_corner_of_a_sheet_that_is_still_near(tmp_path):
    for cell, message in (("AU1048576", "cannot be read as a spreadsheet"), ("AV1048576", "goes on to the cell AV1048576")):
        sheet = {"xl/worksheets/sheet1.xml": f'<worksheet><dimension ref="A1:{cell}"/>'}
        (tmp_path / "file").write_bytes(archive("xl/workbook.xml", b"", **sheet))
        with pytest.raises(DataError, match=message):
            read_csv(tmp_path / "file")


class Panic(BaseException):
    """What a library in Rust raises when it meets a mistake of its own."""


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (Panic("end of\nfile"), DataError, "cannot be read as a spreadsheet: end of file$"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (MemoryError(), MemoryError, None),
    ],
)
def test_a_library_that_panics(tmp_path, monkeypatch, error, raised, message):
    def fail(*_, **__):
        raise error

    (tmp_path / "file").write_bytes(old_excel({"s": [NAMES]}))
    monkeypatch.setattr(pd, "ExcelFile", fail)
    with pytest.raises(raised, match=message):
        read_csv(tmp_path / "file")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bytes(1001), " is larger than 0 MB, the most that is read"),
        (gzip.compress(bytes(1001)), " is larger than 0 MB, the most that is read"),
        (archive("xl/workbook.xml", bytes(10_001)), " would be unpacked larger than 0 MB, the most that is read"),
        (parquet(a=[1.0] * 251, b=[2.0] * 251), " holds more than 500 values, the most that is read"),
        (written("to_orc", ONES, engine_kwargs={"compression": "zstd"}), " holds more than 500 values, the most that is read"),
    ],
    ids=["text", "gzip", "Excel", "Parquet", "ORC"],  # the bytes of a compressed file hold the time
)
def test_files_that_are_too_large(tmp_path, monkeypatch, content, message):
    (tmp_path / "file").write_bytes(content)
    for module in (files, pandas_files):
        monkeypatch.setattr(module, "LARGEST_FILE", 1000)
    with pytest.raises(DataError) as info:
        read_csv(tmp_path / "file")
    assert str(info.value) == f"{tmp_path / 'file'}{message}"


@pytest.mark.parametrize("kind", ["parquet", "feather", "orc"])
def test_the_values_are_counted_before_they_are_unpacked(tmp_path, monkeypatch, kind):
    (tmp_path / "file").write_bytes(written(f"to_{kind}"))
    monkeypatch.setattr(pandas_files, "LARGEST_FILE", 2 * HOUSES.size - 1)
    monkeypatch.delattr(pd, f"read_{kind}")
    with pytest.raises(DataError, match="file holds more than 23 values, the most that is read$"):
        read_csv(tmp_path / "file")


def read(tmp_path, content, **options):
    file = tmp_path / "t.csv"
    file.write_text(content, encoding="utf-8")
    return read_csv(file, **options)


# ---- Numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("decimal", "factor"), [(".", 1000), (",", 1)])
def test_the_decimal_mark_decides(tmp_path, decimal, factor):
    np.testing.assert_array_equal(
        read(tmp_path, COMMAS, decimal=decimal).y, np.array([204.024, 304.1, 150.25]) * factor
    )
    np.testing.assert_array_equal(
        read(tmp_path, POINTS, decimal=decimal).y, [*np.array([204.024, 304.1]) * 1000 / factor, 900]
    )


@pytest.mark.parametrize(
    ("other", "value"),
    [("1.5", 204024), ("1,5", 204.024), ("1.234,5", 204.024), ("1,234,567", 204024), ("0,123", 204.024)],
)
def test_the_rest_of_the_file_says_what_a_comma_is(tmp_path, other, value):
    data = read(tmp_path, f"a;b\n1;204,024\n2;304,100\n{other};900\n")
    assert data.y[0] == value


@pytest.mark.parametrize(
    ("marks", "texts"),
    [
        (".", ["1.5", "-1.5e-3", ".5", "5.", "1,234.5", "1,234,567", "12,34,567", "0.123", "1234.567", "US$1,234.5", "−1.5"]),
        (",", ["1,5", "-1,5E3", ",5", "1.234,5", "1.234.567", "0,123", "1234,567", "1 234,5", "1.234,5 €", "EUR 1,5", "2,5%"]),
        (".,", ["1", "-17", "+3", "1e5", "1,234", "1.234", "1 234", "1'234", "-$5", "$-5", "5 USD", "inf"]),
        ("", ["", "tall", "1_000", "1.2.3", "1,2,3", "1,23,45", "12,3456,789", "01,234.567.8", "--5", "$5€", "ABC5", "1 2", "12 34", "0x1f",
              "1.234,567.8", "(5)", "5'", "1,234 567", "2024-01-02", "3/4"]),
    ],
)  # fmt: skip
def test_what_is_a_number(marks, texts):
    assert {text: decimal_marks(text) for text in texts} == {text: set(marks) for text in texts}


def test_numbers_are_read_as_they_were_written_or_refused(tmp_path):
    """Random numbers in the notations of many countries. Some files leave two readings: they must be refused."""
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        decimal, thousands = [(".", ""), (".", ","), (".", "'"), (",", ""), (",", "."), (",", "\u202f"), (",", " ")][
            rng.integers(7)
        ]
        delimiter = ";\t|"[rng.integers(3)]
        digits = int(rng.integers(0, 5))
        values = np.round(rng.normal(size=(rng.integers(3, 6), 2)) * 10.0 ** rng.integers(0, 7, size=2), digits)
        lines = [
            [f"{value:,.{digits}f}".translate({ord(","): thousands, ord("."): decimal}) for value in row]
            for row in values
        ]
        content = "\n".join(map(delimiter.join, [["a", "b"], *lines]))
        try:
            data = read(tmp_path, content)
        except DataError as error:
            if "--decimal" in str(error):
                refused += 1
                data = read(tmp_path, content, decimal=decimal)
            else:
                assert "constant" in str(error) and len(np.unique(values[:, 0])) == 1
                continue
        np.testing.assert_array_equal(np.column_stack([data.x, data.y]), values, err_msg=content)
    assert 5 < refused < 50


def test_the_value_of_a_number_with_everything(tmp_path):
    data = read(tmp_path, "a;b\n−1 234,5 €;1\n-EUR 2;2\n+3,25E2;4\n".replace("EUR ", "€ "))
    np.testing.assert_array_equal(data.x, [-1234.5, -2, 325])
    assert data.notes == ["semicolons, decimal commas, spaces between thousands, 'a' in €"]


# ---- Plain numbers by NumPy -----------------------------------------------------------------------------------------


def outcome(file, **options):
    """The numbers of a file, or why it has none."""
    try:
        data = read_csv(file, **options)
    except DataError as error:
        return str(error)
    return data.x.tobytes(), data.y.tobytes(), data.features, data.target, data.notes


def assert_same_outcome(monkeypatch, file, **options):
    fast = outcome(file, **options)
    with monkeypatch.context() as patch:
        patch.setattr(files._Text, "plain_numbers", lambda *_: None)
        assert outcome(file, **options) == fast


@pytest.mark.parametrize("cases", [FITTED, REFUSED], ids=["fitted", "refused"])
def test_numpy_reads_what_the_csv_module_reads(tmp_path, monkeypatch, cases):
    for content, options, _ in cases.values():
        (tmp_path / "file").write_bytes(content.encode() if isinstance(content, str) else content)
        assert_same_outcome(monkeypatch, tmp_path / "file", **options)


ODD = [
    *("1_0", "nan", "-nan", "NA", "inf", "1e999", "1e-999", "٣", "\u00a01", "1\u2003", "0x1", "1d5", "1e", "+-1", "", " ", "\t4"),
    *("1 2", "#1", '"6"', '"1,5"', '1"', "1,2", "\v1", "\x1c8", "1\u2028", "1.", ".5", "(1)", "1+0j", "True", "5%", "$5", "1'000", "x" * 9),
    *("0" * 400 + "1", "1." + "0" * 400 + "1", "2023-01-02", "\n", "\r", "\r\n"),
]


def test_numpy_reads_odd_cells_as_the_csv_module_does(tmp_path, monkeypatch):
    """Files of plain numbers with one odd value in them, in each place and with all options that have a say."""
    for number, odd in enumerate(ODD):
        for row in ([odd, "2", "3"], ["1", odd, "3"], ["1", "2", odd]):
            lines = [["a", "b", "c"], ["1", "5", "2"], ["2", "1", "7"], row, ["9", "4", "4.5"], ["3", "8", "1"]]
            for delimiter in ",; ":
                end = ["\n", "\r\n", "\r"][number % 3]
                (tmp_path / "t.csv").write_bytes(end.join(map(delimiter.join, lines)).encode())
                for options in ({}, {"decimal": "."}, {"decimal": ","}, {"missing": "drop"}, {"drop": ["c"], "decimal": "."}):
                    assert_same_outcome(monkeypatch, tmp_path / "t.csv", **options)


def test_quotes_in_columns_that_are_not_chosen(tmp_path, monkeypatch):
    """The comma in quotes divides nothing, so a row has too few values."""
    (tmp_path / "t.csv").write_text('p,q,a,b\nx,y,1,2\n"x,y",3,5\nx,y,2,9\n')
    options = {"features": ["a"], "target": "b"}
    assert "line 3: expected 4 values, as in the header, found 3" in outcome(tmp_path / "t.csv", **options)
    assert_same_outcome(monkeypatch, tmp_path / "t.csv", **options)


def test_numbers_that_are_names_stay_text(tmp_path):
    data = read(tmp_path, "c,b\n01,2\n1,3\n1.0,7\n01,4\n1,9\n", categorical=["c"])
    assert data.features == ["c=1", "c=1.0"]


@pytest.mark.parametrize(
    ("content", "options", "is_plain"),
    [
        (text(), {}, True),
        ("\n\n" + text(end="\r\n"), {}, True),
        (text("\t"), {}, True),
        (text(";", names=['"area"', '"rooms\n of a house"', "price"]), {}, True),
        (columns_and("city", first=REGIONS), {}, True),  # it is not chosen
        (POINTS, {}, False),
        (POINTS, {"decimal": "."}, True),
        (text(), {"decimal": ","}, False),
        (text(";", decimal=","), {}, False),
        (text(quote='"'), {}, False),
        (text(" "), {"decimal": "."}, False),  # several spaces separate as one does
        (text() + "\n", {}, False),
        (text() + "1,2\n", {}, False),
        (text() + ",2,3\n", {}, False),
        ("a,b\n", {}, False),
    ],
)
def test_which_files_numpy_reads(tmp_path, content, options, is_plain):
    (tmp_path / "t.csv").write_bytes(content.encode())
    table = open_table(tmp_path / "t.csv", Format(**options))
    cells = table.plain_numbers([name for name in table.names if name != "city"])
    assert (cells is not None) == is_plain
    if is_plain:
        in_text = table.read(cells.columns)
        assert list(cells.lines) == list(in_text.lines)
        for name, column in in_text.columns.items():
            np.testing.assert_array_equal(cells.columns[name], list(map(float, column)))


def test_numpy_reads_numbers_to_the_last_bit(tmp_path):
    values = np.random.default_rng(0).integers(0, 2**63, size=2000, dtype="uint64").view(float)
    values = values[np.isfinite(values)]
    forms = [repr, "{:.25e}".format, "{:.17g}".format, "{:.3e}".format]
    texts = [forms[i % 4](value) for i, value in enumerate(values.tolist())]
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{text},{other}\n" for text, other in zip(texts, texts[::-1])))
    exact = list(map(float, texts[::-1]))
    cells = open_table(tmp_path / "t.csv").plain_numbers(["b"])
    np.testing.assert_array_equal(cells.columns["b"], exact)
    normal = [text for text in texts if abs(float(text)) > 1e-300]  # pandas refuses smaller ones in JSON
    (tmp_path / "t.json").write_text("[" + ",".join(f'{{"a": 1, "b": {text}}}' for text in normal) + "]")
    np.testing.assert_array_equal(open_table(tmp_path / "t.json").read(["b"]).columns["b"], list(map(float, normal)))
    assert cells.place(1) == f"{tmp_path / 't.csv'}, line 3"


# ---- Columns --------------------------------------------------------------------------------------------------------


def test_categories_become_columns_of_0_and_1(tmp_path):
    data = read(tmp_path, columns_and("region", first=REGIONS), categorical=["region"])
    assert data.features == ["region=south", "region=west", "area", "rooms"]
    south, west = ([float(region == name) for region in REGIONS] for name in ("south", "west"))
    np.testing.assert_array_equal(data.x, np.column_stack([south, west, AREA, ROOMS]))
    assert data.notes == ["'region' becomes 2 columns of 0 and 1, compared with 'north'"]


def test_categories_that_are_numbers(tmp_path):
    (tmp_path / "file").write_bytes(parquet(a=[1.0, 1234567.25, 1234567.5, 1.0], b=[1.0, 2, 3, 5]))
    data = read_csv(tmp_path / "file", categorical=["a"])
    assert data.features == ["a=1234567.25", "a=1234567.5"]
    np.testing.assert_array_equal(data.x, [[0, 0], [1, 0], [0, 1], [0, 0]])


def test_a_mean_in_each_group_is_what_categories_are_for(tmp_path):
    data = read(tmp_path, columns_and("region", first=REGIONS), features=["region"], categorical=["region"])
    answer = least_squares(data.x, data.y)
    means = [PRICE[np.array(REGIONS) == region].mean() for region in ("north", "south", "west")]
    np.testing.assert_allclose([answer["b"], *answer["w"] + answer["b"]], means, rtol=1e-12)


@pytest.mark.parametrize(
    ("form", "options", "clock"),
    [
        ("%Y-%m-%d", {}, ""),
        ("%d.%m.%Y", {}, ""),
        ("%m/%d/%Y", {}, ""),
        ("%d %B %Y", {}, ""),
        ("%d.%m.%Y 06:30", {}, " 06:30:00"),
        ("%Y-%m-%dT06:30:00+02:00", {}, " 04:30:00"),
        ("%Y, %b %d", {"date_format": "%Y, %b %d"}, ""),
    ],
)
def test_dates_become_days(tmp_path, form, options, clock):
    content = text("|", ["day", "price"], [[0, price] for price in PRICE])
    for day in DAYS:
        content = content.replace("\n0|", f"\n{day:{form}}|", 1)
    data = read(tmp_path, content, dates=["day"], **options)
    np.testing.assert_array_equal(data.x, [3, 0, 45, 7, 400, 16, 22, 31])
    assert data.notes == ["vertical bars", f"'day' becomes days since 2023-12-30{clock}"]


def test_dates_in_excel_and_parquet(tmp_path):
    moments = [datetime(day.year, day.month, day.day, 12) for day in DAYS]
    lines = [["day", "b"], *([moment, price] for moment, price in zip(moments, PRICE))]
    columns = {"day": moments, "b": PRICE}
    frame = pd.DataFrame(columns).astype({"day": "datetime64[ns]"})
    for content in (
        excel({"s": lines}),
        parquet(**columns),
        parquet(day=DAYS, b=PRICE),
        written("to_feather", frame),
        written("to_stata", frame, write_index=False),
    ):
        (tmp_path / "file").write_bytes(content)
        data = read_csv(tmp_path / "file", dates=["day"])
        np.testing.assert_array_equal(data.x, [3, 0, 45, 7, 400, 16, 22, 31])
        assert type(data.first_dates["day"]) is datetime


def test_missing_values_become_the_mean(tmp_path):
    data = read(tmp_path, "a,c,b\n1,2,3\n,3,4\n4,5,6\n5,?,1\n7,8,\n3,9,2\n", missing="mean")
    np.testing.assert_array_equal(data.x, [[1, 2], [3.25, 3], [4, 5], [5, 4.75], [3, 9]])
    np.testing.assert_array_equal(data.y, [3, 4, 6, 1, 2])
    assert data.notes == [
        "left out 1 row of 6 with no target (in 'b')",
        "put the mean 3.25 into 1 row of 'a'",
        "put the mean 4.75 into 1 row of 'c'",
    ]


def test_missing_values_in_excel_and_parquet(tmp_path):
    for content in (
        excel({"s": [["a", "b"], [1, 2], [None, 3], [3, None], [4, 7], [], [5, 6]]}),
        parquet(a=[1, None, 3, 4, 5], b=[2.0, 3.0, np.nan, 7.0, 6.0]),
        b'{"a": 1, "b": 2}\n{"b": 3}\n{"a": 3, "b": null}\n{"a": 4, "b": 7}\n{"a": 5, "b": 6}\n',
    ):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(
            DataError, match="2 rows have missing values; the first is row [23], column 'a'(; leave such| \\(an empty cell, an error)"
        ):
            read_csv(tmp_path / "file")
        data = read_csv(tmp_path / "file", missing="drop")
        np.testing.assert_array_equal([data.x, data.y], [[1, 4, 5], [2, 7, 6]])


def test_several_targets(tmp_path):
    data = read(tmp_path, text(), target=["rooms", "price"])
    assert (data.features, data.target, data.targets) == (["area"], ["rooms", "price"], ["rooms", "price"])
    np.testing.assert_array_equal(data.x, AREA[:, None])
    np.testing.assert_array_equal(data.y, np.column_stack([ROOMS, PRICE]))


def test_a_header_with_line_breaks(tmp_path):
    data = read(tmp_path, '"area\n(square  metres)","price\r\nin EUR"\n1,2\n2,5\n4,5\n')
    assert (data.features, data.target) == (["area (square metres)"], "price in EUR")
    again = read_csv(tmp_path / "t.csv", target="area\n(square metres)")
    assert again.target == "area (square metres)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": ["aera"]}, "{file} has no column 'aera', only 'area', 'rooms', 'price'; did you mean 'area'?"),
        ({"drop": ["price"], "target": "price"}, "'price' is a target, so it cannot be left out with --drop; take it out of --target"),
        ({"drop": ["area"], "features": ["area"]}, "'area' is a feature, so it cannot be left out with --drop; take it out of --features"),
        ({"drop": ["area", "rooms"]}, "{file}: no column is left to predict 'price' from"),
        ({"categorical": ["price"]}, "--categorical: 'price' is the target, which must be a number"),
        ({"categorical": ["area"], "features": ["rooms"]}, "--categorical: 'area' is not among the features"),
        ({"dates": ["area"], "drop": ["area"]}, "--dates: 'area' is not among the features"),
        ({"dates": ["area"], "categorical": ["area"]}, "'area' is either for --categorical or for --dates"),
        ({"target": ["price", "price"]}, "the target 'price' is named twice"),
        ({"encoding": "utf-9"}, "--encoding: Python knows no encoding 'utf-9'"),
    ],
)
def test_choices_that_cannot_be(tmp_path, options, message):
    with pytest.raises(DataError) as info:
        read(tmp_path, text(), **options)
    assert str(info.value).startswith(message.format(file=tmp_path / "t.csv"))


def test_an_unknown_way_with_missing_values(tmp_path):
    with pytest.raises(ValueError, match="missing must be None, 'drop' or 'mean', got 'zero'"):
        read(tmp_path, text(), missing="zero")


# ---- Several files --------------------------------------------------------------------------------------------------


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """The houses in three files, whose columns have another order in each, and whose formats differ."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "part-1.csv").write_text(text(columns=HOUSES[:3]))
    (tmp_path / "part-2.csv").write_text(text(";", NAMES[::-1], HOUSES[3:6, ::-1], decimal=","))
    (tmp_path / "part-3.csv").write_bytes(parquet(price=PRICE[6:], area=AREA[6:], rooms=ROOMS[6:]))
    return tmp_path


@pytest.mark.parametrize(
    "paths", ["part-*.csv", ["part-1.csv", "part-[23].csv"], [Path("part-1.csv"), "part-2.csv", "part-3.csv"]]
)
def test_several_files(parts, paths):
    data = read_csv(paths)
    np.testing.assert_array_equal(np.column_stack([data.x, data.y]), HOUSES)
    assert data.source == "3 files (part-1.csv, part-2.csv, part-3.csv)"
    assert data.notes == ["semicolons in 'part-2.csv'", "decimal commas in 'part-2.csv'"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("area,price,room\n", "part-2.csv has no column 'rooms', unlike part-1.csv"),
        ("area,rooms,price,age\n", "part-1.csv has no column 'age', unlike part-2.csv"),
        (text() + "1,x,2\n", "part-2.csv, line 10: column 'rooms' holds 'x', but most of its values are numbers"),
        (text() + "1,,2\n", r"3 files (part-1.csv, part-2.csv, part-3.csv): 1 row has missing values; the first is part-2.csv, line 10, column 'rooms'; leave such rows out with"),
        (None, "part-2.csv: No such file or directory"),
    ],
)  # fmt: skip
def test_several_files_that_do_not_fit(parts, content, message):
    Path("part-2.csv").unlink() if content is None else Path("part-2.csv").write_text(content)
    with pytest.raises(DataError) as info:
        read_csv(["part-1.csv", "part-2.csv", "part-3.csv"])
    assert str(info.value).startswith(message)


@pytest.mark.parametrize(
    ("first", "second", "units", "message"),
    [
        ("$5", "$6", {"b": "$"}, None),
        ("5", "6 €", {"b": "€"}, None),
        ("", "6%", {"b": "%"}, None),
        ("5", "6", {}, None),
        ("$5", "€6", None, "2.csv: the numbers of column 'b' are in €, but those of a file before are in $; write them all alike"),
        ("5%", "0.06", None, "2.csv: the numbers of column 'b' are without a unit, but those of a file before are in %; write them all alike"),
        ("5", "6‰", None, "2.csv: the numbers of column 'b' are in ‰, but those of a file before are without a unit; write them all alike"),
    ],
)  # fmt: skip
def test_units_in_several_files(tmp_path, monkeypatch, first, second, units, message):
    monkeypatch.chdir(tmp_path)
    for name, cell in (("1.csv", first), ("2.csv", second)):
        Path(name).write_text(f"b,a\n{cell},1\n{cell},2\n{cell},{5 if cell is first else 6}\n", encoding="utf-8")
    options = {"target": "a", "missing": "drop"}
    if message is None:
        Path("3.csv").write_text("b,a\n7,3\n" if "%" not in second else "b,a\n7%,3\n")
        assert read_csv(["1.csv", "2.csv", "3.csv"], **options).units == units
    else:
        with pytest.raises(DataError) as info:
            read_csv(["1.csv", "2.csv"], **options)
        assert str(info.value) == message


def test_no_file_is_read_twice(parts):
    with pytest.raises(DataError, match="^part-1.csv is named twice, so its rows would count twice$"):
        read_csv(["part-*.csv", "part-1.csv"])
    with pytest.raises(DataError, match="^no file matches 'none-.*.csv'$"):
        read_csv("none-*.csv")
    Path("part-[1].csv").write_text(text())  # a file whose name looks like a pattern
    assert read_csv("part-[1].csv").source == "part-[1].csv"


def test_headers_that_begin_as_files_of_other_kinds_do(tmp_path):
    for name in ("%PDF", "BZh", "$FLow", "7z", "ORC", "FEA1", "n", "[area]", "{area}", "<area>", "PK", "GIF"):
        data = read(tmp_path, text(names=[name, "rooms", "price"]))
        assert data.features == [name, "rooms"]
        np.testing.assert_array_equal(data.y, PRICE)


def test_one_file_alone(tmp_path):
    """A table is opened, and then its rows are read: what is built on this reads many files one by one."""
    (tmp_path / "t.csv").write_text(text("\t"))
    table = open_table(tmp_path / "t.csv", Format(delimiter="\t"))
    assert table.names == NAMES
    cells = table.read(["price", "area"])
    assert cells.columns["area"] == [number(area) for area in AREA]
    assert list(cells.lines) == list(range(2, 10)) and cells.place(2) == f"{tmp_path / 't.csv'}, line 4"


SPREADSHEETS = [excel({"s": [NAMES]}), old_excel({"s": [NAMES]}), open_document({"s": [NAMES]})]
ARROW = [parquet(a=[1.0]), written("to_feather"), written("to_orc")]


@pytest.mark.parametrize(
    ("contents", "missing", "needed"),
    [
        (SPREADSHEETS, "pandas", "pandas python-calamine"),
        (SPREADSHEETS, "python_calamine", "pandas python-calamine"),
        (ARROW, "pandas", "pandas pyarrow"),
        (ARROW, "pyarrow.dataset", "pandas pyarrow"),
        ([written("to_stata"), FRAME.to_json(orient="records").encode()], "pandas", "pandas"),
    ],
)
def test_without_the_libraries(tmp_path, monkeypatch, contents, missing, needed):
    monkeypatch.setitem(sys.modules, missing, None)
    for content in contents:
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(DataError) as info:
            read_csv(tmp_path / "file")
        assert str(info.value).endswith(f": to read it, install {needed.replace(' ', ' and ')} (pip install -U {needed})")
    (tmp_path / "file").write_text(text())
    np.testing.assert_array_equal(read_csv(tmp_path / "file").y, PRICE)


def test_plain_files_need_no_library(tmp_path):
    (tmp_path / "t.csv").write_text(text(";", decimal=","))
    program = "import sys, linear; linear.read_csv('t.csv'); print({'pandas', 'python_calamine', 'pyarrow'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("set()\n", "")


# ---- The command ----------------------------------------------------------------------------------------------------


def fit(monkeypatch, capsys, *arguments, status=0):
    """Run the demo in this process; return what it prints."""
    monkeypatch.setitem(sys.modules, "jax", None)
    assert __main__.main(["--steps", "3", "--no-pictures", *map(str, arguments)]) == status
    output = capsys.readouterr()
    return output.err if status else output.out


def exact(output, name):
    return rows(output, name)[-1][1]


def test_a_file_of_ones_own(tmp_path, monkeypatch, capsys):
    (tmp_path / "häuser.csv").write_bytes(
        text(";", ["größe", "rooms", "price"], decimal=",", thousands=".").encode("latin-1") + b"1,5;;3\n"
    )
    monkeypatch.chdir(tmp_path)
    output = fit(monkeypatch, capsys, "häuser.csv", "--missing", "drop")
    assert output.startswith(
        "Data      häuser.csv: 8 rows, price from größe, rooms\n"
        "Reading   semicolons, decimal commas, points between thousands, Latin-1\n"
        "          left out 1 row of 9 with missing values (in 'rooms')\n"
        "Training  3 steps"
    )
    answer = least_squares(HOUSES[:, :2], PRICE)
    for name, value in (
        ("slope of größe", answer["w"][0]),
        ("slope of rooms", answer["w"][1]),
        ("intercept", answer["b"]),
    ):
        np.testing.assert_allclose(exact(output, name), value, rtol=1e-11)


def test_standard_input_and_files_between_options(parts):
    done = subprocess.run(
        [*QUICK_COMMAND, "-", "--steps", "1", "part-2.csv", "--no-pictures", "part-3.csv"],
        input=text(columns=HOUSES[:3]),
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "Data      3 files (standard input, part-2.csv, part-3.csv): 8 rows, price from area, rooms\n"
    )
    np.testing.assert_allclose(exact(done.stdout, "intercept"), least_squares(HOUSES[:, :2], PRICE)["b"], rtol=1e-11)


def test_standard_input_that_is_a_terminal(tmp_path):
    ours, terminal = os.openpty()
    os.write(ours, b"a,b\n1,2\n2,3\n3,7\n\x04")
    done = subprocess.run(
        [*QUICK_COMMAND, "-", "--no-pictures"], stdin=terminal, env=environment(), capture_output=True, text=True
    )
    os.close(ours)
    os.close(terminal)
    assert (done.returncode, done.stderr) == (0, "linear: reads standard input, until Ctrl-D\n")
    assert done.stdout.startswith("Data      standard input: 3 rows, b from a\n")


def test_what_takes_long_is_said_on_a_terminal(tmp_path, monkeypatch, capsys):
    (tmp_path / "large.csv").write_text("a,b\n1,2\n2,3\n3,7\n" + "\n" * 20_000_000)
    for on_terminal, said in ((False, ""), (True, "linear: reads 20 MB\n")):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: on_terminal)
        monkeypatch.setattr(__main__, "read_csv", lambda *_, **__: read_csv(NORRIS))
        monkeypatch.setitem(sys.modules, "jax", None)
        assert __main__.main([str(tmp_path / "large.csv"), "--steps", "1", "--no-pictures"]) == 0
        assert capsys.readouterr().err == said


def test_all_options_for_files(tmp_path, monkeypatch, capsys):
    lines = columns_and(
        "id", "region", "day", first=(f"{i},{r},{d:%d/%m/%Y}" for i, (r, d) in enumerate(zip(REGIONS, DAYS)))
    )
    (tmp_path / "t.csv").write_bytes((lines.replace(",", "\t") + "9\tnorth\t01/01/2024\t\t3\t2\n").encode("utf-16-le"))
    output = fit(
        monkeypatch, capsys, "--data", tmp_path / "t.csv", "--drop", "id", "--categorical", "region", "--dates", "day",
        "--date-format", "%d/%m/%Y", "--missing", "mean", "--delimiter", "tab", "--decimal", ".", "--encoding", "utf-16-le",
    )  # fmt: skip
    south, west = ([*(float(region == name) for region in REGIONS), 0] for name in ("south", "west"))
    x = np.column_stack([south, west, [3, 0, 45, 7, 400, 16, 22, 31, 2], [*AREA, AREA.mean()], [*ROOMS, 3]])
    answer = least_squares(x, np.append(PRICE, 2))
    names = ["region=south", "region=west", "day", "area", "rooms"]
    for name, value in zip([*(f"slope of {name}" for name in names), "intercept"], [*answer["w"], answer["b"]]):
        np.testing.assert_allclose(exact(output, name), value, rtol=1e-9)


@pytest.mark.parametrize("features", ["area", "area,rooms"])
def test_several_targets_at_once(tmp_path, monkeypatch, capsys, features):
    (tmp_path / "t.csv").write_text(text(names=[*NAMES, "tax"], columns=np.c_[HOUSES, 3 - 2 * AREA + ROOMS**2]))
    output = fit(
        monkeypatch, capsys, tmp_path / "t.csv", "--features", features, "--target", "price,tax", "--steps", 9000
    )
    x = HOUSES[:, : features.count(",") + 1]
    for target, y in (("price", PRICE), ("tax", 3 - 2 * AREA + ROOMS**2)):
        answer = least_squares(x, y)
        for place, feature in enumerate(features.split(",")):
            name = f"slope of {feature}, for {target}"
            np.testing.assert_allclose(rows(output, name)[-1], [answer["w"][place]] * 2, rtol=1e-8)
            assert "finite differences" in output and len(rows(output, name)[0]) == 3
            np.testing.assert_allclose(rows(output, name)[0][1], rows(output, name)[0][2], rtol=1e-8)
        np.testing.assert_allclose(rows(output, f"intercept, for {target}")[-1], [answer["b"]] * 2, rtol=1e-8)
        error = np.mean((x @ answer["w"] + answer["b"] - y) ** 2)
        np.testing.assert_allclose(rows(output, f"mean squared error, for {target}")[-1], [error] * 2, rtol=1e-8)
    assert "\nConverged: " in output


def test_the_estimate_of_steps_for_several_targets(tmp_path, monkeypatch, capsys):
    (tmp_path / "t.csv").write_text(text(names=[*NAMES, "tax"], columns=np.c_[HOUSES, 3 - 2 * AREA + ROOMS**2]))
    arguments = [tmp_path / "t.csv", "--target", "price,tax"]
    output = fit(monkeypatch, capsys, *arguments)
    more = int(output.split(" more steps")[0].split()[-1].replace(",", ""))
    assert "\nNot converged" in fit(monkeypatch, capsys, *arguments, "--steps", 3 + int(0.9 * more))
    assert "\nConverged" in fit(monkeypatch, capsys, *arguments, "--steps", 3 + int(1.05 * more))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--missing zero t.csv", "argument --missing: expected drop or mean, got 'zero'"),
        ("--decimal ; t.csv", "argument --decimal: expected . or , or point or comma, got ';'"),
        (
            "--delimiter ab t.csv",
            "argument --delimiter: expected one character, or comma, semicolon, tab, bar or space, got 'ab'",
        ),
        ("--sheet x", "--sheet needs a file"),
        ("--date-format %Y", "--date-format needs a file"),
        ("--data", "argument --data: expected at least one argument"),
    ],
)
def test_options_that_cannot_be(tmp_path, monkeypatch, capsys, arguments, message):
    error = fit(monkeypatch, capsys, *arguments.split(), status=2)
    assert error == f"linear: error: {message}  (see python -m linear --help)\n"


def commands_in(text):
    return [
        shlex.split(line, comments=True)[3:]
        for line in text.splitlines()
        if line.strip().startswith("python -m linear ")
    ]


COMMANDS = commands_in((ROOT / "linear" / "README.md").read_text().split("## Your own file")[1].split("## ")[0])


@pytest.mark.parametrize("arguments", [*COMMANDS, *commands_in(__main__.EXAMPLES)], ids=" ".join)
def test_the_commands_of_the_readme_and_of_the_help(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "houses.csv").write_text(text())
    lines = [
        [i, *line]
        for i, line in enumerate(zip(REGIONS, DAYS, AREA.tolist(), [*ROOMS[:-1].tolist(), None], PRICE.tolist()))
    ]
    (tmp_path / "sales.xlsx").write_bytes(excel({"sales": [["id", "region", "day", *NAMES], *lines]}))
    names, columns = ["x", "y1", "y2"], np.column_stack([AREA, ROOMS, PRICE])
    delimiter, marks = (";", {"decimal": ","}) if "--decimal" in arguments else (",", {})
    for part in range(2):
        piece = text(delimiter, names, columns[4 * part : 4 * part + 4], **marks)
        (tmp_path / f"part-{part}.csv.gz").write_bytes(gzip.compress(piece.encode()))
        (tmp_path / f"part-{part}.parquet").write_bytes(parquet(**dict(zip(names, columns[4 * part : 4 * part + 4].T))))
    output = fit(monkeypatch, capsys, *arguments)
    assert re.match(r"Data      .*(norris.csv: 36|houses.csv: 8|sales.xlsx: 7|2 files .*: 8) rows, ", output)


def test_pictures_of_an_earlier_run(tmp_path):
    status, output, _ = demo(tmp_path, "--steps", 3, command=QUICK_COMMAND)
    assert status == 0 and "earlier" not in output
    (tmp_path / "pictures" / "fit.png").unlink()
    status, output, _ = demo(tmp_path, "--steps", 3, command=QUICK_COMMAND)
    replaced = ", ".join(name for name in DRAWN if name != "fit.png")
    assert output.endswith(f"descent.gif\n          in place of {replaced} of an earlier run; --out DIR keeps both\n")
    assert status == 0 and sorted(os.listdir(tmp_path / "pictures")) == PICTURES


def test_several_targets_have_pictures(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(2, 20, 3))
    columns = np.column_stack([x, x @ y[:3] + y / 10])
    np.savetxt(tmp_path / "t.csv", columns, delimiter=",", header="a,b,c,red,green,blue", comments="")
    status, output, errors = demo(tmp_path, "t.csv", "--target", "red,green,blue", "--steps", 3, command=QUICK_COMMAND)
    assert (status, errors) == (0, "")
    assert png_files(tmp_path / "pictures") == PICTURES
