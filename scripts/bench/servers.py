"""The contenders: each with its database, its accounts and what was acknowledged to its clients."""
import base64
import collections
import concurrent.futures
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import socket
import subprocess
import threading
import time

from machine import HERE, ROOT, Process, cpu_seconds, free_port, rss_kib, run, say

SECRET = "bench-secret-bench-secret-bench-secret"
FUNDS = 1_000_000_000            # units in each account: enough for the hot one
TALLYD = os.path.join(ROOT, "build", "tallyd")
# What wrk may ask that moves something, and the kind of account it is counted at.
MOVES = {"transfer": "bank", "hot": "bank", "earn": "reward_points", "redeem": "reward_points", "redeem-points": "points",
         "paid": "wallet", "checkout": "invoice"}


def token(user, name, jti):
    """What domain/auth/token.c signs. The peer gets the same, so that everybody's requests are of one size."""
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    now = int(time.time())
    claims = {"sub": f"{user:024x}", "user": name, "agent": False, "user_id": user, "realm": "customer", "jti": jti,
              "iat": now, "exp": now + 80000}
    text = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims, separators=(",", ":")).encode())
    return (text + b"." + part(hmac.new(SECRET.encode(), text, hashlib.sha256).digest())).decode()


def pause_at_half(connections, full_rate):
    """Milliseconds from a reply to the connection's next request, so that all of them ask for half of the full rate. The
    reply itself takes a few of them."""
    return max(1, round(2 * connections / full_rate * 1000 - 2))


class Server:
    """Started anew for each turn."""

    path = "/health"                 # answers 200 when the server can be measured

    def __init__(self, bench, name, args, env=None):
        self.bench, self.name, self.args = bench, name, args
        self.env = dict(os.environ, **{"NODE_ENV": "production", **(env or {})})
        self.file = os.path.join(bench.dir, name + ".accounts")
        self.process, self.port = None, None
        # By kind of account: acknowledged transfers; those under way when wrk hung up.
        self.made, self.unsure = collections.Counter(), collections.Counter()

    def __enter__(self):
        self.port = free_port()
        self.env["PORT"] = str(self.port)
        log = os.path.join(self.bench.dir, self.name + ".log")
        self.process = Process(self.name, self.args(self.port), log, self.env)
        self.bench.running.append(self.process)
        end = time.monotonic() + 120
        while not self.answers():
            self.process.check()
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name} is not ready: {self.process.tail()}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.bench.running.remove(self.process)
        return self.ended(self.process.stop())

    def ended(self, status):
        pass                         # node ends by the signal itself

    def answers(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            connection.request("GET", self.path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def rss_kib(self):
        return rss_kib(self.process.pid)

    def wrk(self, what, seconds, connections=64, pause_ms=None, seed=None):
        """One run of wrk: what came of it, and the server's CPU seconds meanwhile."""
        args = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", os.path.join(HERE, "load.lua"),
                f"http://127.0.0.1:{self.port}", "--", what, self.file, str(seed or self.bench.seed())]
        before = self.cpu()
        result = json.loads(run(args + ([str(pause_ms)] if pause_ms else [])).splitlines()[-1])
        result["cpu"] = self.cpu() - before
        result["rate"] = result["requests"] / result["seconds"]
        result["cpu_us"] = result["cpu"] / max(1, result["requests"]) * 1e6
        self.bench.expect(result["bad"] == 0 and result["broken"] == 0, f"{self.name}: every reply is 2xx",
                          f"{what}: {result['bad']} are not, {result['broken']} connections broke")
        if what in MOVES:
            self.made[MOVES[what]] += result["requests"] - result["bad"]
            self.unsure[MOVES[what]] += connections
        return result

    def turn(self, what, **more):
        """Start, warm up, measure, stop."""
        if what in MOVES:
            self.bench.db.checkpoint()
        with self:
            self.wrk(what, self.bench.warmup, **more)
            result = self.wrk(what, self.bench.seconds, **more)
        say(f"{self.name}: {what} {result['rate']:,.0f}/s, server CPU {result['cpu']:.1f} s")
        return result

    def check_made(self, kind, made):
        known, unsure = self.made[kind], self.unsure[kind]
        self.bench.expect(known <= made <= known + unsure, f"{self.name}: one {kind} transfer for each 2xx",
                          f"{known} acknowledged, {made} made, at most {unsure} under way when wrk hung up")


class Tally(Server):
    """`users` people with `accounts` bank accounts each, and `history` transfers between them."""

    path = "/ready"

    def __init__(self, bench, name, users, accounts, history=0, env=None):
        super().__init__(bench, "tallyd_" + name, lambda port: [TALLYD, "serve"], env)
        self.users, self.accounts = users, accounts
        self.database = self.name
        self.env.update(HOST="127.0.0.1", DATABASE_URL=bench.db.url(self.database), JWT_SECRET=SECRET,
                        TALLY_RATE_LIMIT="off", TALLY_LOG_LEVEL="warn", TALLY_DATA_DIR=os.path.join(bench.dir, "data"))
        say(f"{self.name}: {users:,} users, {users * accounts:,} accounts")
        bench.db.create(self.database)
        run([TALLYD, "migrate"], env=self.env)
        rows = bench.db.sql(self.database, file="people.sql", users=users, accounts=accounts, funds=FUNDS * 100)
        self.people = [line.split("|") for line in rows.splitlines()]
        self.tokens = [token(int(user), f"bench-{n}", jti) for n, (user, jti) in enumerate(self.people, 1)]
        if history:
            self.write_history(history)
        self.before = self.state()

    def ended(self, status):
        self.bench.expect(status == 0, f"{self.name}: ends well", f"exit status {status}: {self.process.tail()}")

    def state(self):
        """By kind of account: transfers it has seen, and what lies there. Between bank accounts a transfer is seen twice."""
        rows = self.bench.db.sql(self.database, "SELECT kind, sum(version) / CASE kind WHEN 'bank' THEN 2 ELSE 1 END, "
                                                "sum(balance) FROM account GROUP BY kind")
        state = {kind: (int(float(moved)), int(held)) for kind, moved, held in (r.split("|") for r in rows.splitlines())}
        return collections.defaultdict(lambda: (0, 0), state)

    @contextlib.contextmanager
    def no_indexes(self):
        """Building those of the transfers at once is far quicker than keeping them for each row."""
        db, name = self.bench.db, self.database
        indexes = db.sql(name, "SELECT indexname || '|' || indexdef FROM pg_indexes "
                               "WHERE tablename = 'transfer' AND indexname <> 'transfer_pkey'").splitlines()
        for index in indexes:
            db.sql(name, "DROP INDEX " + index.split("|")[0])
        yield
        for index in indexes:
            db.sql(name, "SET maintenance_work_mem = '1GB'; " + index.split("|", 1)[1])

    def write_history(self, count):
        db, name = self.bench.db, self.database
        first, owner, total = (int(x) for x in db.sql(
            name, "SELECT min(id), min(owner_user_id), count(*) FROM account WHERE kind = 'bank'").split("|"))
        half = total // 2
        rounds = -(-count // half // 2) * 2
        before = db.sql(name, "SELECT max(id) FROM transfer")
        step = max(2, 1_000_000 // half)
        with self.no_indexes():
            for start in range(1, rounds + 1, step):
                last = min(rounds, start + step - 1)
                db.sql(name, file="history.sql", first=start, last=last, account=first, half=half, owner=owner,
                       each=self.accounts, funds=FUNDS * 100, before=before)
                say(f"{self.name}: {last * half:,} of {rounds * half:,} transfers of the past")
        db.sql(name, file="history_end.sql", rounds=rounds, transfers=rounds * half, before=before)
        db.checkpoint()

    def write_accounts(self):
        """The file for the generators, with ids as the server shows them."""
        local = threading.local()

        def ask(bearer):
            if not hasattr(local, "connection"):
                local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            local.connection.request("GET", "/api/accounts", headers={"Authorization": "Bearer " + bearer})
            reply = local.connection.getresponse()
            text = reply.read()
            if reply.status != 200:
                raise RuntimeError(f"{self.name}: GET /api/accounts: {reply.status} {text[:200]}")
            return bearer, [a["_id"] for a in json.loads(text)["accounts"]]

        with self, concurrent.futures.ThreadPoolExecutor(4) as pool, open(self.file, "w") as f:
            for bearer, ids in pool.map(ask, self.tokens):
                f.write(f"{bearer}\t{','.join(ids)}\n")
            self.keys_are_filtered()
        return self

    def keys_are_filtered(self):
        """Until the server has made a filter of each closed generation of keys. One that had seen the past itself would
        have made them then."""
        start = time.monotonic()
        missing = "SELECT count(*) FROM key_generation WHERE closed_at IS NOT NULL AND filter IS NULL"
        while int(self.bench.db.sql(self.database, missing)):
            if time.monotonic() - start > 300:
                raise RuntimeError(f"{self.name}: the filters of the keys are not made after five minutes")
            time.sleep(0.2)

    def write_tokens(self, count):
        with open(self.file, "w") as f:
            f.writelines(t + "\n" for t in self.tokens[:count])

    def write_streams(self, path):
        """Which account each public id stands for: both lists are oldest first."""
        ids = self.bench.db.sql(self.database, "SELECT id FROM account WHERE kind = 'bank' "
                                               "ORDER BY owner_user_id, id").split()
        with open(self.file) as f:
            public = [p for line in f for p in line.strip().split("\t")[1].split(",")]
        with open(path, "w") as f:
            f.writelines(f"{p}\t{i}\n" for p, i in zip(public, ids, strict=True))

    def check(self):
        now, money = self.state(), self.before["bank"][1]
        self.bench.expect(now["bank"][1] == money, f"{self.name}: no money made or lost", f"{now['bank'][1]} of {money}")
        for kind in ("bank", "points", "reward_points", "wallet"):
            self.check_made(kind, now[kind][0] - self.before[kind][0])
        # It sorts all transfers; with the default work_mem ten million take minutes.
        env = dict(self.env, DATABASE_URL=self.env["DATABASE_URL"] + "&options=-cwork_mem%3D256MB")
        audit = subprocess.run([TALLYD, "audit"], env=env, capture_output=True, text=True)
        self.bench.expect(audit.returncode == 0, f"{self.name}: tallyd audit holds",
                          f"exit {audit.returncode}: {(audit.stdout + audit.stderr)[-800:]}")


class OpenTally(Tally):
    """With the doors of TALLY_OPEN, a rewards member for each user, and points in everybody's accounts."""

    POINTS = 1_000_000                      # the most that one call may add

    def __init__(self, bench, name, users, accounts, history):
        super().__init__(bench, name, users, accounts, history, {"TALLY_OPEN": "1", "NODE_ENV": "development"})
        self.write_accounts()
        bench.db.sql(self.database, f"UPDATE users SET is_admin = true WHERE id = {self.people[1][0]}")
        with self, concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(self.enrol, range(1, users + 1)))
        self.before = self.state()

    def enrol(self, n):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        member = {"id": f"member-{n}", "name": f"Member {n}", "email": f"member-{n}@bench.example"}
        grant = {"userId": self.people[n - 1][0], "amount": self.POINTS, "reason": "bench"}
        earning = {"points": self.POINTS, "category": "shopping"}
        for path, body in (("/rewards/create-user", member), ("/api/points/admin/add", grant),
                           (f"/rewards/add-points/member-{n}", earning)):
            connection.request("POST", path, json.dumps(body), {
                "Content-Type": "application/json", "Authorization": "Bearer " + self.tokens[1]})
            reply = connection.getresponse()
            text = reply.read()
            if reply.status not in (200, 201):
                raise RuntimeError(f"{self.name}: {path}: {reply.status} {text[:200]}")


class Payers(Tally):
    """People with a wallet and an account each; the provider is the one inside the server."""

    RATE_MAX = 30_000                       # invoices are made for so many payments a second

    def __init__(self, bench, name, users, env=()):
        super().__init__(bench, name, users, 1, 0, {"NODE_ENV": "development", "XENDIT_CALLBACK_TOKEN": SECRET, **dict(env)})
        bench.db.sql(self.database, "INSERT INTO account (owner_user_id, kind, asset) "
                                    "SELECT id, 'wallet', 'MONEY' FROM users ORDER BY id")
        self.invoices = 0
        self.write_accounts()
        self.before = self.state()

    def wrk(self, what, seconds, connections=64, pause_ms=None, seed=None):
        if what != "paid":
            return super().wrk(what, seconds, connections, pause_ms, seed)
        return super().wrk(what, seconds, connections, pause_ms, self.write_invoices(seconds * self.RATE_MAX, "sandbox"))

    def write_invoices(self, count, provider):
        """Open ones; the number of the first."""
        first, self.invoices = self.invoices + 1, self.invoices + count
        self.bench.db.sql(self.database, file="invoices.sql", first=first, last=self.invoices, provider=provider)
        return first

    def check(self):
        super().check()
        db, name = self.bench.db, self.database
        paid, money, wallets, asked = db.sql(name, "SELECT count(*) FILTER (WHERE status = 'PAID'), coalesce(sum(paid_amount), 0), "
                                                   "(SELECT sum(balance) FROM account WHERE kind = 'wallet'), "
                                                   "count(*) FILTER (WHERE external_id LIKE 'tally-%' AND provider = 'sandbox') "
                                                   "FROM payment_invoices").split("|")
        self.bench.expect(int(paid) == self.state()["wallet"][0], f"{self.name}: each invoice paid is one credit", paid)
        self.bench.expect(money == wallets, f"{self.name}: the wallets hold what was paid", f"{wallets} of {money}")
        self.check_made("invoice", int(asked))


class Customers(Payers):
    """Payers whose provider is outside."""

    def __init__(self, bench, name, users, provider):
        super().__init__(bench, name, users, {"XENDIT_SECRET_KEY": SECRET})
        self.provider = f"http://127.0.0.1:{provider.port}"
        key = run([TALLYD, "apikey", "add", "--holder", "bench", "--scope", "userstate"], env=self.env)
        key = "bench:" + key.split("this once: ")[1].strip()
        self.basic = "Basic " + base64.b64encode(key.encode()).decode()

    def at(self, path):
        """Itself, to be started with this as its provider."""
        self.env["XENDIT_BASE_URL"] = self.provider + path
        return self

    def call(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json", **headers})
        reply = connection.getresponse()
        return reply.status, reply.read()


class Crowd(Tally):
    """Beside the callers a crowd of `users`, who have been brought by others and have earned and redeemed for `rounds`."""

    def __init__(self, bench, name, users, rounds):
        super().__init__(bench, name, 16, 1, 0, {"TALLY_OPEN": "1", "NODE_ENV": "development"})
        db, step = bench.db, max(1, 1_000_000 // users)
        with self.no_indexes():
            account, before = db.sql(name := self.database, file="crowd.sql", users=users).split("|")
            say(f"{name}: a crowd of {users:,}, {users // 2:,} of them brought by others")
            for first in range(1, rounds + 1, step):
                last = min(rounds, first + step - 1)
                db.sql(name, file="crowd_round.sql", first=first, last=last, users=users, account=account, before=before)
                say(f"{name}: {last * users:,} of {rounds * users:,} earnings and redemptions")
        db.sql(name, file="crowd_end.sql", rounds=rounds)
        db.checkpoint()
        self.crowd, self.earned = users, 100 * (rounds - rounds // 5) * users
        self.write_accounts()
        self.before = self.state()

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path, headers={"Authorization": "Bearer " + self.tokens[0]})
        return json.loads(connection.getresponse().read())

    def check_figures(self):
        """What is measured must be right: the figures against what was written."""
        most = self.bench.db.sql(self.database, "SELECT count(*) FROM referrals WHERE status = 'completed' AND "
                                                "completed_at > now() - interval '7 days' "
                                                "GROUP BY referrer_id ORDER BY 1 DESC LIMIT 10").split()
        shown = [str(e["referrals"]) for e in self.get("/api/points/leaderboard?period=week&limit=10")["data"]["entries"]]
        self.bench.expect(shown == most, f"{self.name}: the week's board shows who brought the most", f"{shown}, not {most}")
        told = self.get("/analytics/rewards-distribution")
        told = told["totalUsers"], told["totalPointsEarned"]
        self.bench.expect(told == (self.crowd, self.earned), f"{self.name}: the analytics tell what was earned",
                          f"{told}, not {(self.crowd, self.earned)}")


class Naive:
    """The database of a peer: naive.sql."""

    def __init__(self, bench, name, users, accounts):
        self.bench, self.database, self.accounts, self.users = bench, name, accounts, users
        self.total = users * accounts
        bench.db.create(name)
        bench.db.sql(name, file="naive.sql", users=users, accounts=accounts, funds=FUNDS)

    def transfers(self):
        return int(self.bench.db.sql(self.database, "SELECT count(*) FROM transfer"))

    def check_money(self):
        money = int(self.bench.db.sql(self.database, "SELECT sum(balance) FROM account"))
        self.bench.expect(money == self.total * FUNDS, f"{self.database}: no money made or lost",
                          f"{money} of {self.total * FUNDS}")


class Fastify(Server):
    def __init__(self, bench, users, accounts, name="fastify"):
        super().__init__(bench, name, lambda port: ["node", os.path.join(HERE, "fastify.js")])
        self.naive = Naive(bench, name, users, accounts)
        self.env.update(DATABASE_URL=bench.db.url(name), JWT_SECRET=SECRET)
        with open(self.file, "w") as f:
            for user in range(1, users + 1):
                ids = range(1 + (user - 1) * accounts, 1 + user * accounts)
                f.write(f"{token(user, f'bench-{user}', f'{user:024x}')}\t{','.join(map(str, ids))}\n")

    def check(self):
        self.naive.check_money()
        self.check_made("bank", self.naive.transfers())


class Redis(Server):
    """What a peer keeps its points in."""

    def __init__(self, bench):
        super().__init__(bench, "redis", lambda port: ["redis-server", "--port", str(port), "--bind", "127.0.0.1",
                                                       "--save", "", "--appendonly", "no"])

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=2).close()
            return True
        except OSError:
            return False


class SocketIo(Server):
    path = "/"

    def __init__(self, bench):
        super().__init__(bench, "socket.io", lambda port: ["node", "--expose-gc",
                                                           os.path.join(HERE, "socketio.js")])

    def rss_kib(self):
        """What is still in use: what only waits to be collected is collected before."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/gc")
        if connection.getresponse().read() != b"collected":
            raise RuntimeError(f"{self.name}: does not collect its garbage")
        return super().rss_kib()


class Provider(Server):
    path = "/"

    def __init__(self, bench):
        super().__init__(bench, "provider", lambda port: [os.path.join(bench.dir, "provider")])


class Broadcast(Server):
    def __init__(self, bench):
        super().__init__(bench, "ws", lambda port: ["node", os.path.join(HERE, "broadcast.js")])

    def answers(self):
        """It speaks nothing but WebSocket: 426 is its way to say that it is there."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            connection.request("GET", "/")
            return connection.getresponse().status == 426
        except (OSError, http.client.HTTPException):
            return False


class Nginx(Server):
    """The floor: nginx that answers from its configuration, one worker."""

    def __init__(self, bench):
        super().__init__(bench, "nginx", self.command)

    def command(self, port):
        temps = "".join(f"{kind}_temp_path {self.bench.dir}/nginx-{kind}; " for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        path = os.path.join(self.bench.dir, "nginx.conf")
        with open(path, "w") as f:
            f.write("daemon off; worker_processes 1;\n"
                    f"pid {self.bench.dir}/nginx.pid; error_log {self.bench.dir}/nginx.log;\n"
                    f"events {{ worker_connections 4096; }}\n"
                    f"http {{ {temps}access_log off; keepalive_requests 1000000000;\n"
                    f"  server {{ listen 127.0.0.1:{port};\n"
                    "    location = /health { default_type application/json; return 200 '{\"status\":\"ok\"}'; } } }\n")
        return ["/usr/sbin/nginx", "-c", path, "-e", f"{self.bench.dir}/nginx.log"]
