"""The closed vocabularies of the registry: the words that a cell of its files may hold, each with a name in the locale.

What must not live here: open lists, such as capabilities or cities; they are rows and columns of the files themselves.
"""

from __future__ import annotations

from enum import StrEnum


class Verification(StrEnum):
    """How far the source of a row bears it out. Illustrative rows are examples and are marked wherever they show."""

    VERIFIED = "verified"
    PARTLY_VERIFIED = "partly_verified"
    GENERAL_KNOWLEDGE = "general_knowledge"
    ILLUSTRATIVE = "illustrative"


class Coordinates(StrEnum):
    SURVEYED = "surveyed"
    APPROXIMATE = "approximate"


class OrganisationKind(StrEnum):
    INSTITUTE = "institute"
    UNIVERSITY = "university"
    ACADEMY = "academy"
    AGENCY = "agency"
    COMPANY = "company"


class CentreKind(StrEnum):
    NATIONAL_KEY_LABORATORY = "national_key_laboratory"
    UNIVERSITY_KEY_LABORATORY = "university_key_laboratory"
    UNIVERSITY_LABORATORY = "university_laboratory"
    INSTITUTE_LABORATORY = "institute_laboratory"
    SHARED_LABORATORY = "shared_laboratory"
    PRIVATE_LABORATORY = "private_laboratory"
    BIOSAFETY_LABORATORY = "biosafety_laboratory"
    LARGE_FACILITY = "large_facility"
    NATIONAL_INFRASTRUCTURE = "national_infrastructure"
    COMPUTING = "computing"
    PILOT_PLANT = "pilot_plant"


class Stage(StrEnum):
    OPERATING = "operating"
    PLANNED = "planned"


class BookingMode(StrEnum):
    """Only `time` is booked here. A service takes samples or orders; a pool is shared by many users at once."""

    TIME = "time"
    SERVICE = "service"
    POOLED = "pooled"


class BookableUnit(StrEnum):
    """What a user gets: the unit in which the centre counts use."""

    HOUR = "hour"
    HALF_DAY = "half_day"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    RUN = "run"
    CAMPAIGN = "campaign"
    OVERFLIGHT = "overflight"
    SAMPLE = "sample"
    REACTOR_CYCLE = "reactor_cycle"
    WAFER_LOT = "wafer_lot"
    SEAT = "seat"
    SEAT_HOUR = "seat_hour"
    GPU_HOUR = "gpu_hour"
    TERABYTE_MONTH = "terabyte_month"


# Units that occupy the whole instrument for a while; the others are bought by the piece or from a shared pool.
TIME_UNITS = frozenset(
    {
        BookableUnit.HOUR,
        BookableUnit.HALF_DAY,
        BookableUnit.DAY,
        BookableUnit.WEEK,
        BookableUnit.MONTH,
        BookableUnit.RUN,
        BookableUnit.CAMPAIGN,
        BookableUnit.OVERFLIGHT,
    }
)


class OperatedBy(StrEnum):
    USER = "user"
    ASSISTED = "assisted"
    STAFF = "staff"


class Qualification(StrEnum):
    """The training that an instrument asks for; a person holds it for one instrument at a time."""

    LICENCE = "licence"
    INDUCTION = "induction"
    CLEANROOM = "cleanroom"
    LASER_SAFETY = "laser_safety"
    ROBOT_SAFETY = "robot_safety"
    BATTERY_SAFETY = "battery_safety"
    RADIATION = "radiation"
    NUCLEAR_LICENCE = "nuclear_licence"
    HIGH_VOLTAGE = "high_voltage"
    BIOSAFETY_3 = "biosafety_3"
    GMO = "gmo"
    GMP = "gmp"
    SPACE_AIT = "space_ait"
    COMPUTE_ACCOUNT = "compute_account"
    NDA = "nda"


class Hazard(StrEnum):
    ACIDS = "acids"
    BIOLOGICAL = "biological"
    BLADE = "blade"
    BSL_2 = "bsl_2"
    BSL_3 = "bsl_3"
    CRYOGEN = "cryogen"
    FIRE = "fire"
    GAS = "gas"
    GMO = "gmo"
    HEAT = "heat"
    HIGH_VOLTAGE = "high_voltage"
    HYDROGEN = "hydrogen"
    LASER = "laser"
    MACHINE = "machine"
    MAGNET = "magnet"
    NOISE = "noise"
    NORM = "norm"
    PLASMA = "plasma"
    POWDER = "powder"
    PRESSURE = "pressure"
    RADIATION = "radiation"
    RADIO_FREQUENCY = "radio_frequency"
    ROTOR = "rotor"
    SOLVENTS = "solvents"
    TOXIC_GAS = "toxic_gas"
    ULTRAVIOLET = "ultraviolet"
    VACUUM = "vacuum"
    WATER = "water"
    X_RAY = "x_ray"


class GroupBasis(StrEnum):
    """Who put a product into its group: the decision itself, a public data set, or our analysis."""

    DECISION = "decision"
    PUBLIC_DATA = "public_data"
    ANALYST = "analyst"


class Relation(StrEnum):
    """What became of a product from one list of technologies to the next."""

    KEPT = "kept"
    RENAMED = "renamed"
    MERGED = "merged"
    SPLIT = "split"
    WIDENED = "widened"
    NARROWED = "narrowed"
    DROPPED = "dropped"
    NEW = "new"
