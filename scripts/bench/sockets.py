"""Rows about WebSocket: wsload and the server's CPU around what it measures."""
import json
import os
import subprocess


class Wsload:
    """Open when the block is entered; the measured seconds are `measured()`."""

    def __init__(self, bench, server, conns, **options):
        self.bench, self.server = bench, server
        options.setdefault("warmup", bench.warmup)
        options.setdefault("seconds", bench.socket_seconds)
        args = [os.path.join(bench.dir, "wsload"), f"port={server.port}", f"conns={conns}"]
        self.args = args + [f"{k}={v}" for k, v in options.items()]

    def __enter__(self):
        self.child = subprocess.Popen(self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.expect_line("ready")
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.terminate()
        self.child.wait()

    def expect_line(self, word):
        line = self.child.stdout.readline().strip()
        if line != word:
            raise RuntimeError(f"{self.server.name}: wsload says {line or 'nothing'}, not {word}; see above")

    def end(self):
        self.child.stdin.close()
        return self.result()

    def result(self):
        result = json.loads(self.child.stdout.readline() or "null")
        if result is None:
            raise RuntimeError(f"{self.server.name}: wsload ended without a result; see above")
        bad = {k: result[k] for k in ("closed", "missing", "surplus", "refused") if result.get(k)}
        self.bench.expect(not bad, f"{self.server.name}: every event once to every client, no connection lost",
                          str(bad))
        return result

    def measured(self):
        self.expect_line("start")
        before = self.server.cpu()
        self.expect_line("stop")
        cpu = self.server.cpu() - before
        result = self.result()
        result.update(cpu=cpu, per_cpu=result["deliveries"] / max(cpu, 0.01))
        return result


def fan_out_tally(bench, tally, conns, window):
    """One user with all the connections: what is granted to him (POINTS-09) is told to all of them."""
    tally.write_tokens(1)
    return caused(bench, tally, "points", conns, what="grants", window=window, hello=1, tokens=tally.file,
                  user=tally.people[0][0], admin=tally.tokens[1])


def fan_out_rewards(bench, tally, conns, window):
    """All the connections are Socket.IO clients in /rewards: what a member earns (REW-02) is told to all of them."""
    return caused(bench, tally, "reward_points", conns, what="earns", window=window, socketio=1, user="member-1")


def caused(bench, tally, kind, conns, **options):
    """Every event is a transfer of this kind of account, and every transfer an event."""
    before = tally.state()[kind][0]
    with Wsload(bench, tally, conns, **options) as load:
        result = load.measured()
    made = tally.state()[kind][0] - before
    tally.made[kind] += result["sent"]
    bench.expect(made == result["sent"], f"{tally.name}: one transfer for each event",
                 f"{result['sent']} asked for, {made} made")
    return result
