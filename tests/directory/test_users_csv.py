"""Users in a CSV file: what its lines say, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from sipxd.directory.users_csv import MAX_ROWS, Problem, read_users
from sipxd.errors import BadInput


def values(text: str, **options: Any) -> list[dict[str, Any]]:
    """What the lines say, where nothing is wrong with them."""
    rows, problems = read_users(text, **options)
    assert problems == []
    return [dict(row.values) for row in rows]


def test_every_column_is_read() -> None:
    header = "name,first_name,last_name,email,aliases,groups,permissions,pin,sip_password"
    line = '200,Ann,Åberg,ann@x.test,ann 5200,"sales, north wing",a b,0471,"s,1"'
    assert values(f"{header},enabled,admin,voicemail,flow\n{line},no,yes,FALSE,refer\n") == [
        {
            "name": "200",
            "first_name": "Ann",
            "last_name": "Åberg",
            "email": "ann@x.test",
            "aliases": ("ann", "5200"),
            "groups": ("sales", "north wing"),
            "permissions": ("a", "b"),
            "pin": "0471",
            "sip_password": "s,1",
            "enabled": False,
            "admin": True,
            "voicemail": False,
            "flow": "refer",
        }
    ]


@pytest.mark.parametrize(
    "header",
    [
        "name,first_name,email,aliases,groups",
        "Name,First Name,E-Mail,Alias,Group",
        " User name ,FIRST NAME,EMail address,User alias,User group",
    ],
)
def test_columns_are_known_by_what_people_and_sipxcom_call_them(header: str) -> None:
    assert values(f"{header}\n200,Ann,a@x.test,ann,sales\n") == [
        {
            "name": "200",
            "first_name": "Ann",
            "email": "a@x.test",
            "aliases": ("ann",),
            "groups": ("sales",),
        }
    ]


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        ('"a,b"', ("a", "b")),
        ("a;b", ("a", "b")),
        ('" a , , b "', ("a", "b")),
    ],
)
def test_the_values_of_a_list_are_separated_in_several_ways(
    cell: str, parts: tuple[str, ...]
) -> None:
    header = "name,aliases,groups,permissions"
    (row,) = values(f"{header}\n200,{cell},{cell},{cell}\n")
    assert [row[column] for column in header.split(",")[1:]] == [parts] * 3


def test_a_semicolon_separates_where_the_header_has_it() -> None:
    assert values("name;aliases\r\n200;ann,5200\r\n") == [
        {"name": "200", "aliases": ("ann", "5200")}
    ]


def test_an_empty_cell_says_nothing_and_an_empty_line_is_none() -> None:
    assert values("name,email,admin\n\n200, ,\n,,\n201,,no\n") == [
        {"name": "200"},
        {"name": "201", "admin": False},
    ]


def test_lines_are_counted_as_an_editor_does() -> None:
    rows, problems = read_users('name,last_name\n200,"a\nb"\n\n201,c,d\n202,e\n')
    assert [row.line for row in rows] == [2, 6]
    assert [problem.line for problem in problems] == [5]


def test_columns_of_other_programs_are_refused_or_passed_over() -> None:
    text = "name,Phone model,Phone group\n200,x,y\n"
    with pytest.raises(BadInput, match=r"no column 'Phone model'.*--skip-unknown"):
        read_users(text)
    assert values(text, skip_unknown=True) == [{"name": "200"}]


def test_a_misspelt_column_is_recognised() -> None:
    with pytest.raises(BadInput, match="did you mean first_name"):
        read_users("name,firstname\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has to name the columns"),
        ("200,Ann\n", "no column '200'"),
        ("first_name\nAnn\n", "one of them is name"),
        ("name,alias,aliases\n", "'aliases' twice"),
        ('name\n"200\n', "is no CSV"),
        ('name\n"2"00\n', "line 2 is no CSV"),
        ("name\n" + "1\n" * (MAX_ROWS + 1), "more than 100000 users"),
    ],
)
def test_what_cannot_be_read_any_further_is_said(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_users(text)


@pytest.mark.parametrize(
    ("line", "field", "rule"),
    [
        ("200,Ann,no,more", "", "the line has 4 values, and the header 3"),
        ("200,Ann", "", "the line has 2 values, and the header 3"),
        (",Ann,no", "name", "the user has no name"),
        ("200,Ann,perhaps", "admin", "admin must be yes or no"),
        ("200,=1+1,no", "first_name", "looks like a formula"),
        ("200,@SUM(A1),no", "first_name", "looks like a formula"),
        ("200,-cmd|'/c calc',no", "first_name", "looks like a formula"),
        ("199,Ann,no", "name", "'199' is in line 2 already"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_and_the_others_are_read(
    line: str, field: str, rule: str
) -> None:
    rows, (problem,) = read_users(f"name,first_name,admin\n199,A,no\n{line}\n201,B,no\n")
    assert (problem.line, problem.field) == (3, field)
    assert problem.rule.startswith(rule)
    assert {"199", "201"} <= {row.name for row in rows}


def test_what_is_meant_to_look_like_a_formula_begins_with_an_apostrophe() -> None:
    assert values("name,first_name\n200,'=Ann\n") == [{"name": "200", "first_name": "=Ann"}]


def test_all_that_is_wrong_is_told_at_once() -> None:
    _, problems = read_users("name,aliases,admin,last_name\n200,a,x,=y\n201,a 200,no,B\n")
    assert [(each.line, each.field) for each in problems] == [
        (2, "admin"),
        (2, "last_name"),
        (3, "aliases"),
        (3, "aliases"),
    ]
    assert problems[2] == Problem(3, "aliases", "'a' is in line 2 already; choose another")


def test_secrets_are_not_shown_with_the_line() -> None:
    rows, _ = read_users("name,pin\n200,47114711\n")
    assert "47114711" not in repr(rows)
