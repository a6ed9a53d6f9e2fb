"""The allocator: a `Problem` value in, a `Plan` value out. It knows slots and intervals, not laboratories.

    problem.encode(problem: Problem) -> bytes                      problem.sha256(data: bytes) -> str
    reading.parse(data: bytes) -> Problem                          raises reading.Malformed(.faults of path, message)
    reading.parse_plan(data: bytes) -> Plan                        plan.encode_plan(plan: Plan) -> bytes
    validation.contradictions(problem) -> list[(path, message)]    for problems built in memory
    solve.solve(problem, *, seconds=None, steps=None, seed=1, workers=1, on_progress=None, should_stop=None,
                problem_sha256=None) -> Plan                       raises effort.NoPlanFound
    check.check(problem, plan, *, problem_sha256=None) -> list[Violation(code, where, detail)]
    explain.explain(problem, plan, request_id) -> Explanation      raises LookupError
    explain.Reader(problem, plan).explain(request_id)              the same for many requests of one plan
    repair.repair(problem, plan, changes.Changes(now=, down=, cancel=, add=), *, steps=, seed=1)
                -> Repaired(problem, plan)                         raises reading.Malformed, effort.NoPlanFound
    commands.solve_command(problem_file, plan_file, *, seconds, steps, seed, workers, progress) -> exit code
    commands.check_command(problem_file, plan_file) -> exit code   commands.explain_command(..., request) -> exit code
    commands.repair_command(problem_file, plan_file, new_plan_file, new_problem_file, *, now, down, cancel, add)

These signatures are stable. Import from the modules: nothing is re-exported, so that checking or reading a problem does
not load OR-Tools.
"""
