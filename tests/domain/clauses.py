"""One agreement with every clause that is no share rule, in the numbers of the access rules. It is made up."""

from __future__ import annotations

from labshare.domain.agreement_documents import Known, from_toml
from labshare.domain.agreements import Agreement

KNOWN = Known(
    organisation_ids=frozenset({"I-IMS", "O-A", "O-B"}),
    centre_ids=frozenset({"C-ONE"}),
    instrument_ids=frozenset({"N001", "N002"}),
)

DOCUMENT = """
# mẫu minh họa / illustrative
format = "labshare-agreement/1"
id = "PPP-ALL"
title_vi = "Thỏa thuận đủ điều khoản (minh họa)"
title_en = "An agreement with every clause (illustrative)"
parties = ["I-IMS", "O-A", "O-B"]
effective_from = 2026-01-01
contract = "joint_venture"

[covered]
centres = ["C-ONE"]

# R03: 50 bn in all; A bears 8 bn, B 4 bn.
[preference]
threshold = "10 %"
investment = 50_000_000_000

[[contributions]]
party = "I-IMS"
cash = 20_000_000_000
land = 15_000_000_000
staff = 3_000_000_000

[[contributions]]
party = "O-A"
cash = 6_800_000_000
in_kind = 1_200_000_000

[[contributions]]
party = "O-B"
cash = 4_000_000_000

# R05, R06, R09, R11
[[entitlements]]
party = "O-A"
window = "quarter"
minutes = 7_200
turn = { minutes = 180, clamp = "1/2" }
conversion = { repaid = "50 %", rate = 2_500_000 }
carry_over = { most = "25 %", periods = 1 }

[entitlements.pull_back]
notice_days = 14
appeal_days = 7

[[entitlements.pull_back.checkpoints]]
at = "1/3"
steps = [{ used_less_than = "10 %", forfeit = "25 %" }, { used_less_than = "25 %", forfeit = "15 %" }]

[[entitlements.pull_back.checkpoints]]
at = "2/3"
steps = [{ used_less_than = "25 %", forfeit = "50 %" }, { used_less_than = "50 %", forfeit = "25 %" }]

# R08
[[entitlements]]
party = "O-B"
window = "year"
minutes = 7_200

[entitlements.pull_back]
grace_days = 60

[[entitlements.pull_back.checkpoints]]
at = "1/3"
steps = [{ used_less_than = "10 %", forfeit = "30 %" }, { used_less_than = "15 %", forfeit = "15 %" }]

[[entitlements.pull_back.checkpoints]]
at = "2/3"
steps = [
    { used_less_than = "10 %", forfeit = "75 %" },
    { used_less_than = "33 %", forfeit = "50 %" },
    { used_less_than = "50 %", forfeit = "33 %" },
]

# R10
[reserved]
release_hours = 72
standby_hours = 24

# R12
[fair_share]
half_life_days = 14

# R13
[[tiers]]
id = "safety"
mark = "safety"

[[tiers]]
id = "state_order"
who = [{ access_class = ["state_order"] }]

[[tiers]]
id = "partner"
who = [{ access_class = ["partner"] }]

[[tiers]]
id = "public_peer_reviewed"
title_vi = "Nghiên cứu công đã bình duyệt"
title_en = "Peer-reviewed public research"
who = [{ access_class = ["public_research", "host"] }]

[[tiers]]
id = "sme_startup"
who = [{ access_class = ["startup"] }, { access_class = ["industry"], size = ["sme"] }]

[[tiers]]
id = "education"
who = [{ access_class = ["education"] }]

[[tiers]]
id = "industry"
who = [{ access_class = ["industry"] }]

[[tiers]]
id = "standby"
mark = "standby"

# R14
[state_order]
ceiling = "30 %"
notice_working_days = 10
spared = ["safety"]
credit = "100 %"
credit_days = 60

# R15, R16, R17
[[tariffs]]
id = "2026"
full_cost = 2_400_000
effective_from = 2026-01-01
effective_until = 2035-12-31
waiver = { first_years = 3, first = "100 %", after = "50 %", valid_years = 5 }
data_discount = { share = "20 %" }

[[tariffs.classes]]
id = "public_internal"
share = "25 %"
who = [{ access_class = ["host"] }]

[[tariffs.classes]]
id = "public_external"
share = "50 %"
who = [{ access_class = ["public_research", "state_order", "education"] }]

[[tariffs.classes]]
id = "sme"
share = "75 %"
who = [{ access_class = ["industry", "partner"], size = ["sme"] }]

[[tariffs.classes]]
id = "large"
share = "100 %"
who = [{ access_class = ["industry", "partner"], size = ["large"] }]

[[tariffs.classes]]
id = "startup"
share = "100 %"
who = [{ access_class = ["startup"] }]

# R20
[courtesy]
advance_days = 14
least_minutes = 30
notice_hours = 24
prime = { hours = "Mon-Fri 08:00-18:00", day_minutes = 300 }

# R21
[courtesy.penalties]
no_show_charge = "100 %"
late_minutes = 30
strikes = 3
within_days = 90
block_days = 14

# R22
[charging]
classical_rate = "3/4"
fault_refund = "100 %"
low_demand_free = true

# R23
[confidentiality]
min_cell = 3
embargo_months = 24

# R26
[screening]
working_days = 5
default = "hold"

[[screening.lists]]
id = "dual_use"
terms = ["UAV", "máy bay không người lái"]
topics = ["P22"]
foreign_only = true

[[screening.lists]]
id = "defence"
terms = ["tác chiến điện tử"]
organisations = ["O-WATCHED"]
"""


def whole() -> Agreement:
    """The agreement of the document."""
    return from_toml(DOCUMENT)
