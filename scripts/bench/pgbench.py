"""pgbench: a transfer as one prepared call in its own transaction, with no server in front of it."""
import os
import re

from machine import HERE, median, run, say
from servers import Naive

CLIENTS = (1, 8, 16, 32, 64)


class Pgbench:
    def __init__(self, bench, users, accounts):
        self.bench, self.naive = bench, Naive(bench, "pgbench", users, accounts)
        self.made = 0
        self.log = os.path.join(bench.dir, "pgbench-log")

    def measure(self, clients, seconds, hot=False, log=False):
        total = self.naive.total
        args = [self.bench.db.bin + "/pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "1",
                "-T", str(seconds), "-f", os.path.join(HERE, "naive.pgbench"),
                "-D", f"accounts={total}", "-D", f"debits={1 if hot else total}"]
        text = run(args + (["-l", "--log-prefix", self.log] if log else []) + [self.bench.db.url(self.naive.database)])
        made = int(re.search(r"transactions actually processed: (\d+)", text)[1])
        failed = int(re.search(r"failed transactions: (\d+)", text)[1])
        self.made += made
        self.bench.expect(failed == 0 and made > 0, "pgbench: every transaction succeeds", f"{failed} of {made} failed")
        return float(re.search(r"^tps = ([\d.]+)", text, re.M)[1])

    def turn(self, seconds, results, hot=False):
        """All client counts, once; appends to results[clients]."""
        for clients in CLIENTS:
            self.bench.db.checkpoint()
            self.measure(clients, 1, hot)
            results.setdefault(clients, []).append(self.measure(clients, seconds, hot))
        say(f"pgbench{' hot' if hot else ''}: " + ", ".join(f"{n} clients {r[-1]:,.0f}/s" for n, r in results.items()))

    def waits_us(self, seconds):
        """Every wait of one client."""
        self.bench.db.checkpoint()
        self.measure(1, self.bench.warmup)
        self.measure(1, seconds, log=True)
        waits = []
        for name in os.listdir(self.bench.dir):
            if name.startswith("pgbench-log"):
                path = os.path.join(self.bench.dir, name)
                with open(path) as f:
                    waits += [int(line.split()[2]) for line in f]
                os.unlink(path)
        return sorted(waits)

    def check(self):
        self.naive.check_money()
        made = self.naive.transfers()
        self.bench.expect(made == self.made, "pgbench: one transfer for each transaction", f"{made} of {self.made}")


def best(results):
    """The client count with the best median."""
    clients = max(results, key=lambda n: median(results[n]))
    return clients, results[clients]
