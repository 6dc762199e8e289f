# Replays dirty-transcript/1 files (golden/README.md) against an arbiter or a worker. Meant to be copied.
#
#     replay.py ROLE SOCKET [-FEATURE...] FILE...   ROLE: arbiter or worker; -FEATURE: one that it lacks (`needs`)
#     replay.py --matcher FILE                      judges the matcher by golden/matcher.json
# TIME_SCALE=4 in the environment makes expectations wait four times as long, for busy machines.
import contextlib, json, os, socket, sys, time

OPERATORS = [{"$var"}, {"$any"}, {"$like"}, {"$opt"}, {"$open"}, {"$lit"}]

def operator(t): return next(iter(t.items())) if type(t) is dict and t.keys() in OPERATORS else ("", t)

def kind(value): return float if type(value) is int else type(value)

# Whether `got` fits the template. Writes into `binds`, also when it does not fit: give it a copy.
def matches(want, got, binds, literal=False, opened=False):
    name, inner = ("", want) if literal else operator(want)
    if name == "$var":
        known = binds.setdefault(inner, got)
        return matches(known, got, {}, True) and not any(matches(binds[k], got, {}, True) for k in binds if k != inner)
    if name in ("$any", "$like"): return name == "$any" or kind(inner) == kind(got)
    if name: return matches(inner, got, binds, name == "$lit", name == "$open")
    if kind(want) != kind(got): return False
    if type(want) is dict:
        needed = {key for key in want if literal or operator(want[key])[0] != "$opt"}
        return (needed <= got.keys() and (opened or got.keys() <= want.keys())
                and all(matches(want[key], got[key], binds, literal) for key in want if key in got))
    if type(want) is list: return len(want) == len(got) and all(matches(w, g, binds, literal) for w, g in zip(want, got))
    return float(str(want)) == float(str(got)) if float in (type(want), type(got)) else want == got

def render(t, binds, variables):
    name, t = operator(t)
    if name == "$var": return binds.setdefault(t, variables.get(t))
    if name in ("$lit", "$any", "$like"): return t
    if type(t) is dict: return {key: render(t[key], binds, variables) for key in t}
    return [render(item, binds, variables) for item in t] if type(t) is list else t

def raw(step): return bytes.fromhex(step.get("raw", "")) + (bytes([step["pad"]["byte"]]) * step["pad"]["count"] if "pad" in step else b"")

def read(connection, count, until):  # so many bytes, or fewer when the connection ends
    data, more = bytearray(), True
    while more and len(data) < count:
        connection.settimeout(max(until - time.monotonic(), 0.001))
        try: more = connection.recv(min(count - len(data), 1 << 16))
        except ConnectionError: more = b""
        data += more
    return bytes(data)

def expect(connection, step, binds):
    until = time.monotonic() + step.get("quiet_ms", step.get("within_ms", 5000) * float(os.environ.get("TIME_SCALE", 1))) / 1000
    if "quiet_ms" in step:
        with contextlib.suppress(TimeoutError): raise ValueError(f"not silence but {read(connection, 1, until)}")
    elif "close" in step or "raw" in step:
        if (got := read(connection, len(raw(step)) or 1, until)) != raw(step): raise ValueError(f"not {raw(step)} but {got}")
    waiting = list(step.get("unordered", [step] if "msg" in step else []))
    while waiting:
        payload = read(connection, int.from_bytes(read(connection, 4, until), "big"), until)
        got = json.loads(payload or '"the end"', parse_constant=int)  # int refuses NaN
        tries = ((inner, dict(binds)) for inner in waiting)
        inner, bound = next((it for it in tries if matches(it[0]["msg"], got, it[1], opened=True)), ("", {}))
        if not inner: raise ValueError(f"no match for {got}")
        waiting.remove(inner)
        binds.update(bound)

def sent(step, binds, variables):
    payload = b"" if "raw" in step else json.dumps(render(step["msg"], binds, variables)).encode()
    return raw(step) if "raw" in step else len(payload).to_bytes(4, "big") + payload

def play(transcript, role, path):  # gives what went wrong, None if nothing did
    binds, connections, steps = {}, {}, [step for step in transcript["steps"] if "from" in step]
    if role == "worker" and any(step["from"] == "client" for step in steps): role = "arbiter"  # read one hop on
    with contextlib.ExitStack() as stack:
        for step in steps:
            try:
                if step["on"] not in connections:
                    connections[step["on"]] = stack.enter_context(socket.socket(socket.AF_UNIX))
                    connections[step["on"]].connect(path)
                connection = connections[step["on"]]
                if step["from"] == role: expect(connection, step, binds)
                else:
                    time.sleep(step.get("after_ms", 0) / 1000)
                    connection.settimeout(30)  # for a subject that does not read
                    connection.close() if "close" in step else connection.sendall(sent(step, binds, transcript.get("vars", {})))
            except (OSError, ValueError) as why: return f"{json.dumps(step)[:300]}: {why or type(why).__name__}"

def judge(case, *_):
    fits = matches(case["want"], case["got"], binds := {}, opened=True)
    return None if (fits, binds if fits else {}) == (case["match"], case.get("binds", {})) else "another verdict"

def main(first, second, *rest):
    files, lacks = [word for word in rest if word[0] != "-"], {word[1:] for word in rest if word[0] == "-"}
    cases = [json.load(open(file, encoding="utf-8")) for file in files]
    cases = [case for case in cases if first in case["roles"] and not lacks & set(case.get("needs", []))]
    if first == "--matcher": cases = json.load(open(second, encoding="utf-8"))
    failures = [f"FAILED {case['id']} {why}" for case in cases if (why := (play if files else judge)(case, first, second))]
    print(*failures, f"{len(cases) - len(failures)} passed, {len(failures)} failed", sep="\n")
    return 1 if failures or not cases else 0

sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 2 else "replay.py ROLE SOCKET [-FEATURE...] FILE... | replay.py --matcher FILE")
