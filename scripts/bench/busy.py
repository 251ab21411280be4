"""Rows about a server that has something else to do besides."""
import concurrent.futures
import contextlib
import threading
import time

from machine import say
from servers import pause_at_half
from table import Line

LOGINS, CHECKOUTS = 50, 20          # at any time under way
OPEN_INVOICES = 10_000
CONNECTIONS = 256                   # at half of the load


@contextlib.contextmanager
def repeated(times, ask):
    """`ask` goes on and on, so many times at once, until the block is left: the list of its answers."""
    answers, end = [], threading.Event()

    def go_on():
        while not end.is_set():
            answers.append(ask())

    with concurrent.futures.ThreadPoolExecutor(times) as pool:
        going = [pool.submit(go_on) for _ in range(times)]
        try:
            yield answers
        finally:
            end.set()
    for one in going:
        one.result()


def waits(bench, tally, pause):
    """What wrk says of transfers and of /health, both at the same time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        moved = pool.submit(tally.wrk, "transfer", bench.seconds, CONNECTIONS, pause)
        asked = pool.submit(tally.wrk, "health", bench.seconds, 4, 5)
        return moved.result(), asked.result()


def mails_are_out(bench, tally):
    """Until the people of the warm-up's transfers have been told; what comes within a minute after that waits. These
    mails are no part of the row, and one side would still be writing them when the other is through. They are gathered
    once a second, so none may wait at two looks in a row."""
    end, quiet = time.monotonic() + 60, 0
    while quiet < 2:
        time.sleep(1.5)
        waiting = int(bench.db.sql(tally.database, "SELECT count(*) FROM mail_outbox WHERE status = 'waiting'"))
        quiet = 0 if waiting else quiet + 1
        if time.monotonic() > end:
            raise RuntimeError(f"{tally.name}: {waiting} mails are still waiting after a minute")


def while_others_wait(bench):
    tally = bench.customers()
    full = tally.at("").turn("transfer")["rate"]
    pause = pause_at_half(CONNECTIONS, full)
    calm, busy = [], []

    def log_in():
        return tally.call("POST", "/api/auth/login", {"email": "nobody@bench.example", "password": "wrong horse"})[0]

    def check_out():
        return tally.call("POST", "/payment-checkout", {"amount": 10, "description": "Top-up"},
                          Authorization="Bearer " + tally.tokens[0])[0]

    def beside_others():
        with repeated(LOGINS, log_in) as logins, repeated(CHECKOUTS, check_out) as checkouts:
            mails_are_out(bench, tally)
            busy.append(waits(bench, tally, pause))
        bench.expect(set(logins) == {401}, f"{tally.name}: every log-in is refused as it should be", str(set(logins)))
        bench.expect(set(checkouts) == {502}, f"{tally.name}: no checkout without the provider", str(set(checkouts)))
        say(f"{tally.name}: beside {len(logins)} log-ins and {len(checkouts)} checkouts {told(busy[-1])}")

    def alone():
        mails_are_out(bench, tally)
        calm.append(waits(bench, tally, pause))
        say(f"{tally.name}: alone {told(calm[-1])}")

    def told(figures):
        moved, asked = figures
        return (f"a transfer p50 {moved['p50_us']} us, p99 {moved['p99_us']} us; /health p99 {asked['p99_us']} us; "
                f"at {100 * moved['rate'] / full:.0f} % of the maximum")

    for turn in range(2 * bench.turns):
        with tally.at("/hang"):
            tally.wrk("transfer", bench.warmup, CONNECTIONS, pause)
            bench.db.checkpoint()
            (alone if turn % 2 else beside_others)()
    for at, what in ((1, "/health"), (0, "a transfer")):
        yield Line(21, f"p99 of {what}, half the load, {LOGINS} log-ins queued, the provider hangs", "itself without",
                   " us", [b[at]["p99_us"] for b in busy], [c[at]["p99_us"] for c in calm], 2, 2, down=True)


def synchronising(bench):
    tally = bench.customers()
    seconds, calm, busy, took = min(bench.seconds, 12), [], [], []
    tally.write_invoices(OPEN_INVOICES, "xendit")

    def alone():
        calm.append(tally.wrk("transfer", seconds)["rate"])

    def beside_it():
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            began = time.monotonic()
            sync = pool.submit(tally.call, "GET", "/scheduler", Authorization=tally.basic)
            busy.append(tally.wrk("transfer", seconds)["rate"])
            bench.expect(not sync.done(), f"{tally.name}: the synchronisation takes longer than the measurement", "")
            status, reply = sync.result()
            took.append(time.monotonic() - began)
        bench.expect(status == 200 and b'"checked":%d' % OPEN_INVOICES in reply, f"{tally.name}: all open invoices were asked for",
                     f"{status} {reply[:200]}")

    for turn in range(4 * bench.turns):   # one turn says little: they differ by a tenth, with and without
        with tally.at(""):
            tally.wrk("transfer", bench.warmup)
            mails_are_out(bench, tally)
            for measure in (beside_it, alone) if turn % 2 else (alone, beside_it):   # what slows down slows both down
                bench.db.checkpoint()
                measure()
        say(f"{tally.name}: {OPEN_INVOICES:,} invoices in {took[-1]:.1f} s; transfers {busy[-1]:,.0f}/s, "
            f"without {calm[-1]:,.0f}/s")
    yield Line(22, f"{OPEN_INVOICES:,} open invoices synchronised, the provider takes 20 ms", "–", " s", took, None,
               15, 15, down=True, digits=1)
    yield Line(22, "transfers meanwhile", "itself without", "/s", busy, calm, 0.9, 0.9)
