"""Numbers that python-stdnum judges: how to make one, the word that speaks for it, the key that names it."""

from __future__ import annotations

import itertools
import random
import string
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

from stdnum import iban, imei, luhn
from stdnum.at import vnr
from stdnum.au import tfn
from stdnum.be import nn
from stdnum.bg import egn
from stdnum.br import cnpj, cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.cz import rc
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.ee import ik
from stdnum.es import dni, nie
from stdnum.exceptions import ValidationError
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs, utr
from stdnum.gr import amka
from stdnum.hr import oib
from stdnum.ie import pps
from stdnum.in_ import aadhaar
from stdnum.in_ import pan as indian_pan
from stdnum.it import codicefiscale
from stdnum.lt import asmens
from stdnum.lv import pvn
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.pt import nif
from stdnum.ro import cnp
from stdnum.se import personnummer
from stdnum.si import emso
from stdnum.us import itin, rtn, ssn


@dataclass(frozen=True)
class Number:
    """One kind of number.

    Attributes:
        kind: Its type in fapilog.
        module: Who judges it: a module of stdnum.
        shape: How one looks: `9` is a digit, `A` a capital, `d` six digits of a day as YYMMDD, `e` as DDMMYY,
            `s` ten digits of which one stands twice, `n` a nine; the rest stands for itself.
        word: What speaks for it in a text.
        key: The name of an attribute that speaks for it.
        before: What the library wants in front of the number.
    """

    kind: str
    module: ModuleType
    shape: str
    word: str
    key: str
    before: str = ""

    def refused(self, number: str) -> str:
        """The name of the library's reason to refuse a number; empty: it takes it."""
        try:
            self.module.validate(self.before + number)
        except ValidationError as error:
            return type(error).__name__
        return ""


NUMBERS = (
    Number("AT_SVNR", vnr, "9999e", "svnr", "svnr"),
    Number("AU_TFN", tfn, "999999999", "tax file number", "tfn"),
    Number("BE_NRN", nn, "d99999", "rijksregisternummer", "rijksregister"),
    Number("BG_EGN", egn, "d9999", "egn", "egn"),
    Number("BR_CNPJ", cnpj, "99999999000199", "cnpj", "cnpj"),
    Number("BR_CPF", cpf, "99999999999", "cpf", "cpf"),
    Number("CA_SIN", sin, "999999999", "sin", "sin"),
    Number("CH_AHV", ahv, "7569999999999", "ahv", "ahv_nummer"),
    Number("CZ_RC", rc, "d9999", "rodne cislo", "rodne_cislo"),
    Number("DE_STEUER_ID", idnr, "s9", "idnr", "idnr"),
    Number("DK_CPR", cpr, "e9999", "cpr", "cpr_nummer"),
    Number("EE_IK", ik, "9d9999", "isikukood", "isikukood"),
    Number("ES_DNI", dni, "99999999A", "dni", "dni"),
    Number("ES_NIE", nie, "X9999999A", "nie", "nie"),
    Number("FI_HETU", hetu, "e-999A", "hetu", "hetu"),
    Number("FR_NIR", nir, "199089912399999", "numero de securite sociale", "nir"),
    Number("GR_AMKA", amka, "e99999", "amka", "amka"),
    Number("HR_OIB", oib, "99999999999", "oib", "oib"),
    Number("IE_PPS", pps, "9999999A", "ppsn", "ppsn"),
    Number("IN_AADHAAR", aadhaar, "999999999999", "aadhaar", "aadhaar"),
    Number("IN_PAN", indian_pan, "AAAPA9999A", "pan card", "pan_card"),
    Number("IT_CF", codicefiscale, "AAAAAA99C99A999A", "codice fiscale", "codice_fiscale"),
    Number("LT_AK", asmens, "3d9999", "asmens kodas", "asmens_kodas"),
    Number("LV_PK", pvn, "e19999", "personas kods", "personas_kods"),
    Number("NL_BSN", bsn, "999999999", "bsn", "bsn"),
    Number("NO_FNR", fodselsnummer, "e99999", "fodselsnummer", "fodselsnummer"),
    Number("PL_PESEL", pesel, "d99999", "pesel", "pesel"),
    Number("PT_NIF", nif, "999999999", "contribuinte", "contribuinte"),
    Number("RO_CNP", cnp, "1d999999", "cnp", "cnp"),
    Number("SE_PNR", personnummer, "d-9999", "pnr", "pnr"),
    Number("SI_EMSO", emso, "e9509999", "emšo", "emso"),
    Number("UK_NHS", nhs, "9999999999", "nhs number", "nhs_number"),
    Number("UK_UTR", utr, "9999999999", "utr", "utr"),
    Number("US_SSN", ssn, "999-99-9999", "ssn", "ssn"),
    Number("US_ITIN", itin, "n99-79-9999", "itin", "itin"),
    Number("US_NPI", luhn, "1999999999", "npi", "npi", before="80840"),
    Number("US_ROUTING", rtn, "999999999", "routing number", "routing_number"),
    Number("IBAN", iban, "DE89999999999999999999", "iban", "iban"),
    Number("IMEI", imei, "359999999999999", "imei", "imei"),
)


def shaped(shape: str, pick: random.Random) -> str:
    """Any number of a shape."""
    year, month, day = (f"{pick.randrange(*bounds):02}" for bounds in ((20, 99), (1, 13), (1, 29)))
    nine = pick.sample(string.digits, 9)
    ten = [*nine, nine[0]]
    pick.shuffle(ten)
    parts = {"d": year + month + day, "e": day + month + year, "s": "".join(ten), "n": "9"}
    made = []
    for sign in shape:
        if sign == "9":
            made.append(pick.choice(string.digits))
        elif sign == "A":
            made.append(pick.choice(string.ascii_uppercase))
        else:
            made.append(parts.get(sign, sign))
    return "".join(made)


def numbers(number: Number, pick: random.Random) -> Iterator[str]:
    """Numbers of the kind's shape without end; every second one is made valid if a new end does that."""
    while True:
        yield shaped(number.shape, pick)
        yield repaired(number, shaped(number.shape, pick), pick)


def repaired(number: Number, made: str, pick: random.Random) -> str:
    """The same number with other signs at its end, valid if one of them makes it so."""
    last = [string.digits if sign.isdigit() else string.ascii_uppercase for sign in made[-2:]]
    ends = ["".join(end) for end in itertools.product(*last)]
    pick.shuffle(ends)
    return next((made[:-2] + end for end in ends if not number.refused(made[:-2] + end)), made)
