"""The columns of the tables that learning platforms export, found by their titles in several languages, and
by what stands in them.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from daemon.core.classes.sheet import TableRow
from daemon.core.spelling import folded


class RosterColumn(StrEnum):
    """The columns that tell who somebody is."""

    STUDENT = "student"  # an id of the lab's own
    NUMBER = "number"  # the institution's: a matriculation number
    LOGIN = "login"
    PARTICIPANT = "participant"  # Moodle's, as in "Participant 12345", also in the names of its downloads
    USER = "user"  # a user's number in the platform; Canvas writes it into the names of its downloads
    NAME = "name"
    FIRST = "first"
    LAST = "last"
    EMAIL = "email"
    GROUP = "group"


# Moodle's titles are translated: into German, French, Spanish, Italian, Dutch, Portuguese, Polish, Swedish,
# Danish, Finnish, Czech, Turkish, Russian, Japanese, Chinese.
_TITLES = {
    RosterColumn.NUMBER: (
        "id number|idnumber|id-nummer|matrikelnummer|matrikelnr|matrikelnr.|matriculation number"
        "|matric number|student number|student id|sis user id|numéro d'identification"
        "|numéro d’identification"
        "|numéro d'étudiant|número de id|número de identificación|codice identificativo|matricola"
        "|studentnummer|número de identificação|número id|numer id|numer albumu|id-nummer|tunnistenumero"
        "|identifikační číslo|kimlik numarası|id-номер|идентификационный номер|idナンバー"
        "|学生番号|学号|id号码"
    ),
    RosterColumn.LOGIN: (
        "username|user name|login|login id|sis login id|anmeldename|benutzername|nom d'utilisateur"
        "|nom d’utilisateur|nombre de usuario|nome utente|gebruikersnaam|nome de utilizador|nome de usuário"
        "|nazwa użytkownika|användarnamn|brugernavn|käyttäjätunnus|uživatelské jméno|kullanıcı adı|логин"
        "|ユーザ名|ユーザー名|用户名"
    ),
    RosterColumn.USER: "id|user id|canvas id",
    RosterColumn.NAME: (
        "full name|fullname|student name|vollständiger name|nom complet|nombre completo|nome completo"
        "|nome e cognome|cognome e nome|nombre y apellidos|nombre / apellido(s)|volledige naam"
        "|imię i nazwisko|fullständigt namn|fulde navn|koko nimi|celé jméno|ad soyad|tam adı|полное имя"
        "|имя / фамилия|фио|フルネーム|姓名|全名"
    ),
    RosterColumn.FIRST: (
        "first name|firstname|given name|vorname|prénom|voornaam|nome próprio|imię|förnamn|fornavn|etunimi"
        "|křestní jméno|adı|имя|名"
    ),
    RosterColumn.LAST: (
        "last name|lastname|surname|family name|nachname|familienname|nom de famille|apellido"
        "|apellidos|apellido(s)|cognome|achternaam|apelido|sobrenome|último nome|nazwisko|efternamn"
        "|efternavn|sukunimi|příjmení|soyadı|soyad|фамилия|姓|姓氏"
    ),
    RosterColumn.EMAIL: (
        "email address|email|e-mail|e-mail address|mail|e-mail-adresse|adresse de courriel|courriel"
        "|dirección de correo|correo electrónico|indirizzo email|e-mailadres|endereço de email"
        "|endereço de correio eletrónico|adres e-mail|e-postadress|e-mailadresse|sähköpostiosoite"
        "|e-mailová adresa|e-posta adresi|адрес электронной почты|メールアドレス|电子邮件地址|邮箱"
    ),
    RosterColumn.GROUP: (
        "group|groups|section|sections|gruppe|gruppen|groupe|groupes|grupo|grupos|gruppo|gruppi|groep"
        "|groepen|grupa|grupy|grupp|grupper|ryhmä|ryhmät|skupina|skupiny|grup|gruplar|группа|группы"
        "|グループ|小组|组"
    ),
}
_NAMES = frozenset("name|nom|nombre|nome|naam|namn|navn|nimi|jméno|ad|имя|名".split("|"))
"""Titles of the whole name, or of the first or the last where the other has a column of its own."""
_STATES = frozenset(
    "status|statut|estado|estatus|stato|stav|stan|durum|tila|состояние|статус|状態|状态".split("|")
)
_COLUMN_OF = {title: column for column, titles in _TITLES.items() for title in titles.split("|")}
_OF_CANVAS = frozenset({"sis user id", "sis login id", "section"})
_TEST_STUDENTS = frozenset({"student, test", "test student"})
_NUMBERED = re.compile(r"(\D+?)\s*(\d+)")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


def columns(titles: Sequence[str], body: Sequence[TableRow]) -> dict[RosterColumn, int]:
    """Where the columns are that tell who somebody is, by the titles of a table and the rows below."""
    titles = [folded(title) for title in titles]
    found: dict[RosterColumn, int] = {}
    for at, title in enumerate(titles):
        column = _column_of(title)
        if column is not None:
            found.setdefault(column, at)
    names = (at for at, title in enumerate(titles) if title in _NAMES and at not in found.values())
    for at in list(names)[:1]:
        parts = {RosterColumn.FIRST, RosterColumn.LAST} - found.keys()
        found.setdefault(parts.pop() if len(parts) == 1 else RosterColumn.NAME, at)
    if "student" in titles:
        of_canvas = RosterColumn.USER in found and not _OF_CANVAS.isdisjoint(titles)
        found[RosterColumn.NAME if of_canvas else RosterColumn.STUDENT] = titles.index("student")
    elif 0 not in found.values() or found.get(RosterColumn.USER) == 0:
        _find_participant(titles, body, found)
    if RosterColumn.EMAIL not in found:
        _find_addresses(len(titles), body, found)
    return _with_whole_name(found)


def _column_of(title: str) -> RosterColumn | None:
    """The column of a title; the whole name's of one such as `First name / Last name`."""
    parts = {_COLUMN_OF.get(part.strip()) for part in title.split("/")}
    return RosterColumn.NAME if parts == {RosterColumn.FIRST, RosterColumn.LAST} else _COLUMN_OF.get(title)


def is_test_student(row: TableRow, columns: Mapping[RosterColumn, int]) -> bool:
    """Whether a row is that of Canvas's student for trying things, who has no number of an institution."""
    name, number = columns.get(RosterColumn.NAME), columns.get(RosterColumn.NUMBER)
    if name is None or (number is not None and row.cell(number)):
        return False
    return folded(row.cell(name)) in _TEST_STUDENTS


def participant_number(text: str) -> str:
    """The number in Moodle's "Participant 12345", whose word is translated; empty where there is none."""
    match = _NUMBERED.fullmatch(text.strip())
    return match[2] if match else ""


def _find_participant(
    titles: Sequence[str], body: Sequence[TableRow], found: dict[RosterColumn, int]
) -> None:
    """Moodle's worksheet has "Participant 12345" in its first column, and the whole name in the second, or
    the state of the submission where the names are hidden.
    """
    words = {match and match[1] for row in body for match in [_NUMBERED.fullmatch(row.cell(0))]}
    if len(words) == 1 and None not in words:
        found[RosterColumn.PARTICIPANT] = 0
        if found.get(RosterColumn.USER) == 0:
            del found[RosterColumn.USER]
        cells = {row.cell(1) for row in body}
        is_name = titles[1:] and titles[1] not in _STATES and len(cells) > len(body) / 2
        if is_name and 1 not in found.values():
            found[RosterColumn.NAME] = 1


def _find_addresses(width: int, body: Sequence[TableRow], found: dict[RosterColumn, int]) -> None:
    for at in sorted(set(range(width)) - set(found.values())):
        if body and all(_ADDRESS.fullmatch(row.cell(at)) for row in body):
            found[RosterColumn.EMAIL] = at
            return


def _with_whole_name(found: Mapping[RosterColumn, int]) -> dict[RosterColumn, int]:
    """A first or a last name alone is the whole name: in some languages it has the same title."""
    parts: Sequence[RosterColumn] = [
        column for column in (RosterColumn.FIRST, RosterColumn.LAST) if column in found
    ]
    if len(parts) == 1 and RosterColumn.NAME not in found:
        return {RosterColumn.NAME if column in parts else column: at for column, at in found.items()}
    return dict(found)
