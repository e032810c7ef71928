"""The words of the notes: 12 kinds, each with a shorthand, the sentence it stands for, and a table for every gap in both.

A row of a table is ``shorthand: words``. No kind shares its shorthand with another, so a model that has not met a kind cannot guess it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """``short`` and ``long`` have gaps ``{0}``, ``{1}``, …, which are filled from ``tables`` in this order."""

    name: str
    short: str
    long: str
    tables: tuple[dict[str, str], ...]


def _table(rows: str) -> dict[str, str]:
    pairs = (row.split(": ") for row in rows.strip().split("\n"))
    return {short.strip(): words.strip() for short, words in pairs}


_DAYS = _table(
    """
    mon: Monday
    tue: Tuesday
    wed: Wednesday
    thu: Thursday
    fri: Friday
    """
)

KINDS = (
    Kind(
        "vital signs",
        "bp {0} hr {1} {2}",
        "Blood pressure is {0}, the pulse is {1}, and the patient is {2}.",
        (
            _table("hi: high\nlo: low\nnl: normal\nlab: unstable\nup: rising\ndn: falling"),
            _table("reg: regular\nirr: irregular\nfst: fast\nslw: slow\nwk: weak"),
            _table("aox: awake\ndrz: drowsy\nfeb: feverish\nafeb: free of fever\ncomf: comfortable"),
        ),
    ),
    Kind(
        "medication",
        "rx {0} {1} {2}",
        "Give {0} {1}, {2}.",
        (
            _table("amox: amoxicillin\nibu: ibuprofen\nmetf: metformin\nasa: aspirin\nins: insulin\nparac: paracetamol"),
            _table("po: by mouth\niv: into a vein\nsc: under the skin\nim: into a muscle"),
            _table("qd: once a day\nbid: twice a day\ntid: three times a day\nqhs: at bedtime\nprn: when needed\nac: before meals"),
        ),
    ),
    Kind(
        "complaints",
        "c/o {0} {1}, {2}",
        "The patient complains of {0} {1}; {2}.",
        (
            _table("ha: headache\nsob: shortness of breath\ncp: chest pain\nlbp: back pain\nnv: nausea\ndiz: dizziness"),
            _table("x1d: since yesterday\nx1w: for a week\nx1m: for a month\nint: now and then\nnoc: at night"),
            _table(
                "wrs: it is getting worse\nbtr: it is getting better\nsame: nothing has changed\nnew: this is new\nrec: it has come back"
            ),
        ),
    ),
    Kind(
        "laboratory",
        "lab {0} {1}; {2}",
        "The {0} level is {1}, so {2}.",
        (
            _table("na: sodium\nk: potassium\nglu: glucose\nhb: haemoglobin\ncrp: protein\nfe: iron"),
            _table("++: very high\n+: high\n0: normal\n-: low\n--: very low"),
            _table("rpt: repeat the test\nstp: stop the drip\nntf: call the doctor\nobs: watch and wait\ndc: no further test is needed"),
        ),
    ),
    Kind(
        "wards",
        "tx {0} > {1} by {2}",
        "Move the patient from {0} to {1} by {2}.",
        (
            _table(
                "er: the emergency room\nicu: intensive care\nor: the operating room\nob: the maternity ward\npeds: the children's ward"
            ),
            _table(
                "rad: the x-ray room\nrehab: the rehabilitation ward\nhm: home\nhosp: the hospice\ngw: the general ward\niso: isolation"
            ),
            _table("wc: wheelchair\nstr: stretcher\namb: ambulance\nft: foot"),
        ),
    ),
    Kind(
        "payments",
        "pmt {0} {1} via {2}",
        "The {0} is {1} and goes by {2}.",
        (
            _table("inv: invoice\nrnt: rent\nsal: salary\nfee: fee\nprem: premium\ndep: deposit"),
            _table("pd: paid\nod: overdue\npend: pending\nrej: rejected\nprt: partly paid"),
            _table("cc: credit card\nchq: cheque\ndd: direct debit\nwt: bank transfer\ncsh: cash"),
        ),
    ),
    Kind(
        "accounts",
        "acct {0}: {1} / {2}",
        "The customer wants to {1} the {0} account because of {2}.",
        (
            _table("sav: savings\nchk: current\njnt: joint\nbiz: business\nyth: youth"),
            _table("opn: open\ncls: close\nfrz: freeze\nupg: upgrade\nxfr: transfer\nren: rename"),
            _table("mv: a move\nmrg: a wedding\nfrd: fraud\njob: a new job\nrate: the interest rate"),
        ),
    ),
    Kind(
        "cards",
        "crd {0} {1} -> {2}",
        "A {0} card {1}: {2}.",
        (
            _table("deb: debit\ncred: credit\ngft: gift\nprep: prepaid\nvirt: virtual"),
            _table("lst: was lost\nstl: was stolen\ndmg: was damaged\nexp: has expired\nswl: was swallowed by the machine"),
            _table("blk: block it\nrpl: send another\nunb: unblock it\npin: send a new number\nesc: ask the manager\nwarn: warn the owner"),
        ),
    ),
    Kind(
        "loans",
        "ln {0} {1}, {2}",
        "The {0} loan is {1}, and {2}.",
        (
            _table("mtg: mortgage\nauto: car\nstud: student\npers: personal\ncons: building"),
            _table("appr: approved\ndecl: declined\nundr: under review\nwdr: withdrawn\nfund: paid out"),
            _table(
                "sig: a signature is missing\ninc: proof of income is missing\ncol: the security is enough\n"
                "rt: the rate is fixed\next: the term is extended\nguar: a guarantor is found"
            ),
        ),
    ),
    Kind(
        "meetings",
        "mtg {0} {1} re {2}",
        "We meet on {0} {1} to talk about {2}.",
        (
            _DAYS,
            _table("am: in the morning\nnn: at noon\npm: in the afternoon\neod: at the end of the day"),
            _table("bdg: the budget\nhir: new staff\naud: the audit\nrd: the road map\nmkt: the market\nit: the computers"),
        ),
    ),
    Kind(
        "deliveries",
        "shp {0} {1} {2}",
        "The {0} will arrive on {2} by {1}.",
        (
            _table("pal: pallet\nbx: box\ncrt: crate\nenv: letter\nprcl: parcel\nbrl: barrel"),
            _table("trk: truck\nvsl: ship\nrl: train\nair: plane\nbk: bicycle"),
            _DAYS,
        ),
    ),
    Kind(
        "repairs",
        "fix {0} @{1} {2}",
        "The {0} on the {1} floor is broken and {2}.",
        (
            _table("lft: lift\nprn: printer\ndr: door\nlmp: lamp\nhtr: heater\ntap: tap"),
            _table("g: ground\n1: first\n2: second\n3: third\nt: top"),
            _table(
                "asap: has to be repaired at once\nord: a part is on order\ntmp: will be replaced\nok2: can wait\nchk: will be looked at"
            ),
        ),
    ),
)
