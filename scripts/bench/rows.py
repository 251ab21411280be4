"""The measurements behind the table. Each function makes one or two of its rows; `bench` has what they share."""
import json
import os

from busy import synchronising, while_others_wait
from machine import median, run, say
from pgbench import best
from servers import pause_at_half
from sockets import Wsload, fan_out_rewards, fan_out_tally
from table import Line


def rates(runs):
    return [r["rate"] for r in runs]


def transfers(bench):
    tally, fastify, pgbench = bench.thousand(), bench.fastify(), bench.pgbench()
    ours, theirs, bound = [], [], {}
    for _ in range(bench.turns):
        ours.append(tally.turn("transfer"))
        theirs.append(fastify.turn("transfer"))
        pgbench.turn(bench.pgbench_seconds, bound)
    clients, bound_rates = best(bound)
    bench.full_rate = median(rates(ours))
    yield Line(1, "transfers over HTTP, 64 connections", f"pgbench, best of 1–64 clients ({clients})", "/s",
               rates(ours), bound_rates, 2.0, 2.6)
    yield Line(2, "the same", "fastify + pg", "/s", rates(ours), rates(theirs), 3, 4)


def hot_account(bench):
    tally, pgbench = bench.thousand(), bench.pgbench()
    ours, bound = [], {}
    for _ in range(bench.turns):
        ours.append(tally.turn("hot"))
        pgbench.turn(bench.pgbench_seconds, bound, hot=True)
    clients, bound_rates = best(bound)
    yield Line(3, "all transfers through one hot account", f"pgbench on that account, best ({clients} clients)", "/s",
               rates(ours), bound_rates, 4, 6)


def against_itself(bench, full, ground):
    ours, theirs = [], []
    for _ in range(bench.turns):
        theirs.append(ground.turn("transfer"))
        ours.append(full.turn("transfer"))
    return rates(ours), rates(theirs)


def long_history(bench):
    n = bench.options.history
    full = bench.tally("history", 64, 16, n).write_accounts()
    ours, theirs = against_itself(bench, full, bench.thousand())
    yield Line(4, f"transfers with {n:,} in the tables", "itself with 10,000", "/s", ours, theirs, 0.85, 0.95)


def many_accounts(bench):
    n = bench.options.accounts
    bench.db.sql("postgres", "ALTER SYSTEM SET max_wal_size = '8GB'")
    bench.db.sql("postgres", "SELECT pg_reload_conf()")
    try:
        wide = bench.tally("wide", n // 100, 100).write_accounts()
        ours, theirs = against_itself(bench, wide, bench.thousand())
    finally:
        bench.db.sql("postgres", "ALTER SYSTEM RESET max_wal_size")
        bench.db.sql("postgres", "SELECT pg_reload_conf()")
    yield Line(5, f"transfers over {n:,} accounts (max_wal_size 8GB)", "itself over 1,024", "/s",
               ours, theirs, 0.5, 0.7)


def balances(bench):
    tally, fastify = bench.thousand(), bench.fastify()
    ours, theirs = [], []
    for _ in range(bench.turns):
        ours.append(tally.turn("balance"))
        theirs.append(fastify.turn("balance"))
    yield Line(6, "balance reads", "fastify + pg", "/s", rates(ours), rates(theirs), 3, 3.5)


def health(bench):
    tally, nginx = bench.thousand(), bench.nginx()
    ours, theirs = [], []
    for _ in range(bench.turns):
        ours.append(tally.turn("health"))
        theirs.append(nginx.turn("health"))
    yield Line(7, "/health, CPU a request", "nginx return 200, one worker", " us", [r["cpu_us"] for r in ours],
               [r["cpu_us"] for r in theirs], 1.15, 1.0, down=True, digits=2)


def idle_memory(bench):
    tally, conns = bench.people(), bench.idle
    tally.write_tokens(conns)
    with tally:
        bench.settle(2)
        empty = tally.rss_kib()
        with Wsload(bench, tally, conns, what="idle", hello=1, tokens=tally.file) as load:
            bench.settle(5)
            each = (tally.rss_kib() - empty) / conns
            load.end()
    say(f"{tally.name}: {conns:,} idle, {each:.2f} KiB each")
    yield Line(8, f"memory of an idle /ws connection ({conns:,}, each another user)", "–", " KiB", [each], None,
               1.0, 0.6, down=True, digits=2)


def fan_out(bench, row, what, against, window, least, aim, caused, contenders, **peer_options):
    """The same number of bytes for both."""
    ours_at, theirs_at = contenders
    joined = ", sixteen events under way" if window > 1 else ""
    for conns in bench.fans:
        ours, theirs = [], []
        for _ in range(bench.turns):
            with ours_at:
                ours.append(caused(bench, ours_at, conns, window))
            with theirs_at, Wsload(bench, theirs_at, conns, what="broadcast", window=window,
                                   size=ours[-1]["event_bytes"], **peer_options) as load:
                theirs.append(load.measured())
            say(f"{conns:,} {what}, window {window}: {ours[-1]['per_cpu']:,.0f} against "
                f"{theirs[-1]['per_cpu']:,.0f} deliveries a CPU second")
        yield Line(row, f"one event to {conns:,} {what}{joined}", against, "/CPU s",
                   [r["per_cpu"] for r in ours], [r["per_cpu"] for r in theirs], least, aim)


def fan_out_single(bench):
    yield from fan_out(bench, 9, "subscribers", "ws from npm", 1, 1.4, 1.8, fan_out_tally,
                       (bench.people(), bench.broadcast()))


def fan_out_joined(bench):
    yield from fan_out(bench, 10, "subscribers", "ws from npm", 16, 8, 15, fan_out_tally,
                       (bench.people(), bench.broadcast()))


def socketio_single(bench):
    yield from fan_out(bench, 16, "Socket.IO clients", "socket.io 4", 1, 2.2, 2.8, fan_out_rewards,
                       (bench.open_doors(), bench.socketio()), socketio=1)


def socketio_joined(bench):
    yield from fan_out(bench, 17, "Socket.IO clients", "socket.io 4", 16, 5, 10, fan_out_rewards,
                       (bench.open_doors(), bench.socketio()), socketio=1)


def idle_each(bench, server, conns):
    with server:
        bench.settle(2)
        empty = server.rss_kib()
        with Wsload(bench, server, conns, what="idle", socketio=1) as load:
            bench.settle(5)
            each = (server.rss_kib() - empty) / conns
            load.end()
    say(f"{server.name}: {conns:,} idle Socket.IO connections, {each:.2f} KiB each")
    return each


def socketio_memory(bench):
    conns = max(bench.fans)
    ours, theirs = idle_each(bench, bench.open_doors(), conns), idle_each(bench, bench.socketio(), conns)
    yield Line(18, f"memory of an idle Socket.IO connection ({conns:,})", "socket.io 4", " KiB", [ours], [theirs],
               0.15, 0.08, down=True, digits=2)


def points_reads(bench):
    tally, peer = bench.open_doors(), bench.fastify_redis()
    mine, member, theirs = [], [], []
    for _ in range(bench.turns):
        mine.append(tally.turn("my-points"))
        member.append(tally.turn("points"))
        theirs.append(peer.turn("points"))
    yield Line(13, "GET /api/points/my-points", "fastify + Redis", "/s", rates(mine), rates(theirs), 1.8, 2.5)
    yield Line(14, "GET /rewards/points/:id", "fastify + Redis", "/s", rates(member), rates(theirs), 1.8, 2.5)


def points_moves(bench):
    tally, runs = bench.open_doors(), {"transfer": [], "earn": [], "redeem": [], "redeem-points": []}
    for _ in range(bench.turns):
        for what, list_of in runs.items():
            list_of.append(tally.turn(what))
    for what, name in (("earn", "earnings of members"), ("redeem", "redemptions of members"),
                       ("redeem-points", "redemptions to codes (POINTS-06)")):
        yield Line(15, name, "bank transfers of the same server", "/s", rates(runs[what]), rates(runs["transfer"]),
                   0.5, 0.7)


def payments(bench):
    """Receipts, pushes and the provider's log are written as ever; the mails become files."""
    tally, runs = bench.payers(), {"transfer": [], "checkout": [], "paid": []}
    for _ in range(bench.turns):
        for what, list_of in runs.items():
            list_of.append(tally.turn(what))
    for what, name in (("checkout", "checkouts at the sandbox provider"), ("paid", "callbacks of paid invoices")):
        yield Line(20, name, "bank transfers of the same server", "/s", rates(runs[what]), rates(runs["transfer"]), 0.25, 0.25)


def at_scale(bench):
    """With one connection the time of a request is what it costs; how sixteen share the machine is only told."""
    small, big = bench.crowd(10_000, 1), bench.crowd(bench.options.users, 10)
    names = {"board-all": "the board of all time", "board-month": "of the month", "board-week": "of the week",
             "analytics": "the rewards' analytics"}
    waits = {(server, what): [] for server in (small, big) for what in names}
    for _ in range(bench.turns):
        for server in (small, big):
            with server:
                server.check_figures()
                for what in names:
                    server.wrk(what, bench.warmup, 1)
                    one, many = server.wrk(what, bench.socket_seconds, 1), server.wrk(what, bench.socket_seconds, 16)
                    waits[server, what].append(one["p50_us"] / 1000)
                    say(f"{server.name}: {what}, p50 {one['p50_us']} us; with 16 connections {many['p50_us']} us")
    for what, name in names.items():
        yield Line(19, f"{name}, {big.crowd:,} people, {big.crowd * 10:,} movements, p50", f"itself with {small.crowd:,}", " ms",
                   waits[big, what], waits[small, what], 3, 1.5, down=True, digits=2)


def commit_to_frame(bench):
    """A commit's moment is PostgreSQL's own, before its flush to disk; a frame's is when the client has read it."""
    tally = bench.thousand()
    if not bench.full_rate:
        bench.full_rate = tally.turn("transfer")["rate"]
    bench.db.stop()
    bench.db.start(track_commit_timestamp="on")
    try:
        turns = [frames_at_half(bench, tally) for _ in range(bench.turns)]
    finally:
        bench.db.stop()
        bench.db.start()
    share = 100 * median([rate for rate, _ in turns]) / bench.full_rate
    yield Line(11, f"commit to frame at the client, p99 at {share:.0f} % of the maximum", "–", " ms",
               [p99_us / 1000 for _, p99_us in turns], None, 5, 2, down=True, digits=2)


def frames_at_half(bench, tally):
    """Transfers a second, and the 99th percentile from commit to frame (us)."""
    connections, log, ids = 256, os.path.join(bench.dir, "frames"), os.path.join(bench.dir, "streams")
    pause = pause_at_half(connections, bench.full_rate)
    bench.db.checkpoint()
    with tally, Wsload(bench, tally, tally.users, what="listen", hello=1, tokens=tally.file, log=log,
                       warmup=bench.warmup, seconds=bench.seconds) as load:
        rate = tally.wrk("transfer", bench.warmup + bench.seconds, connections, pause)["rate"]
        load.measured()
    tally.write_streams(ids)
    result = bench.db.sql(tally.database, file="frames.sql", temporary=[
        ("frame (stream text, seq bigint, at_us bigint)", log), ("stream (stream text, account bigint)", ids)])
    count, known, p50, p99 = (float(x) for x in result.split("|"))
    bench.expect(count > 0 and count == known, f"{tally.name}: every frame is a committed transfer",
                 f"{known:.0f} of {count:.0f}")
    say(f"{tally.name}: {rate:,.0f} transfers/s, {count:,.0f} frames, p50 {p50 / 1000:.2f} ms, p99 {p99 / 1000:.2f} ms")
    return rate, p99


def one_client(bench):
    tally, pgbench = bench.thousand(), bench.pgbench()
    ours, theirs = [], []
    for _ in range(bench.turns):
        bench.db.checkpoint()
        with tally:
            result = json.loads(run([os.path.join(bench.dir, "oneclient"), str(tally.port), tally.file,
                                     str(bench.seed()), str(bench.warmup), str(bench.seconds)]))
        tally.made["bank"] += result["made"]
        bench.expect(result["bad"] == 0, f"{tally.name}: every reply is 2xx", f"one client: {result['bad']} are not")
        waits = pgbench.waits_us(bench.seconds)
        ours.append(result["p99_us"])
        theirs.append(waits[len(waits) * 99 // 100])
        say(f"one client: p50 {result['p50_us']:.0f} us, p99 {ours[-1]:.0f} us; "
            f"pgbench p50 {waits[len(waits) // 2]} us, p99 {theirs[-1]} us")
    yield Line(12, "transfer, one client, p99", "pgbench, one client", " us", ours, theirs, 2, 1.5, down=True)


# In the order of the run: the rows they make, and how.
MEASUREMENTS = [
    ((7,), health), ((6,), balances), ((1, 2), transfers), ((3,), hot_account), ((12,), one_client),
    ((11,), commit_to_frame), ((8,), idle_memory), ((9,), fan_out_single), ((10,), fan_out_joined),
    ((13, 14), points_reads), ((15,), points_moves), ((18,), socketio_memory), ((16,), socketio_single),
    ((17,), socketio_joined), ((20,), payments), ((21,), while_others_wait), ((22,), synchronising), ((19,), at_scale),
    ((5,), many_accounts), ((4,), long_history),
]
