"""What is below every row: processes and what they cost, the private PostgreSQL, the facts of the machine.

Every process is started here and ended by its id; nothing is ever looked up or ended by name.
"""
import glob
import json
import os
import platform
import re
import resource
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TICKS = os.sysconf("SC_CLK_TCK")
POSTGRES = os.path.join(ROOT, "scripts", "postgres")


def say(text):
    print(time.strftime("%H:%M:%S ") + text, file=sys.stderr, flush=True)


def median(values):
    v = sorted(values)
    return (v[len(v) // 2] + v[(len(v) - 1) // 2]) / 2


def free_port():
    """Below the range that outgoing connections take theirs from: some rows open thousands."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        top = int(f.read().split()[0])
    for port in range(20000 + os.getpid() % 5000, top):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port")


class Process:
    """A child with its output in a file; it does not outlive us."""

    def __init__(self, name, args, log, env=None):
        self.name, self.log = name, log
        with open(log, "ab") as out:
            self.child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--"] + args, stdin=subprocess.DEVNULL,
                                          stdout=out, stderr=out, env=env)
        self.pid = self.child.pid

    def check(self):
        if self.child.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.child.returncode}: {self.tail()}")

    def tail(self):
        with open(self.log, errors="replace") as f:
            return f.read()[-1500:]

    def stop(self, wait=60):
        """The exit status; a minute after SIGTERM it is killed."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(wait)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        return self.child.returncode


def tree(root):
    """The process and all its descendants."""
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        for path in glob.glob(f"/proc/{pid}/task/*/children"):
            try:
                with open(path) as f:
                    todo += [int(p) for p in f.read().split()]
            except OSError:
                pass
    return found


def cpu_seconds(root):
    """CPU time of a process and its descendants, also of those that have ended."""
    ticks = 0
    for pid in tree(root):
        try:
            with open(f"/proc/{pid}/stat") as f:
                ticks += sum(int(x) for x in f.read().rpartition(")")[2].split()[11:15])
        except OSError:
            pass
    return ticks / TICKS


def machine_busy():
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:]]
    return (v[0] + v[1] + v[2] + v[5] + v[6] + v[7]) / TICKS


class Strangers:
    """CPU time of everything on the machine that is not ours: with much of it the figures say little."""

    def __init__(self, database):
        self.database, self.began = database, time.monotonic()
        self.start = self.now()

    def now(self):
        us = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return machine_busy() - sum(u.ru_utime + u.ru_stime for u in us) - self.database.cpu()

    def cores(self):
        return max(0.0, (self.now() - self.start) / (time.monotonic() - self.began))


def rss_kib(root):
    total = 0
    for pid in tree(root):
        with open(f"/proc/{pid}/status") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))
    return total


def raise_files_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def end_on_signals():
    """So that being told to end still cleans up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))


def run(args, **options):
    """Its output; what it wrote goes into the error when it fails."""
    done = subprocess.run(args, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(args[:4])} …: exit {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout.strip()


def compile_generators(directory):
    for name in ("wsload", "oneclient", "provider"):
        run(["gcc", "-O2", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-o", os.path.join(directory, name),
             os.path.join(HERE, name + ".c")])


class Database:
    """PostgreSQL of our own, for all contenders alike."""

    SETTINGS = {"shared_buffers": "512MB", "max_connections": "200", "wal_level": "logical", "fsync": "on"}

    def __init__(self, directory):
        self.directory = directory
        self.bin = run(["pg_config", "--bindir"])
        if not os.path.exists(self.bin + "/pgbench"):
            self.bin = os.path.dirname(sorted(glob.glob("/usr/lib/postgresql/*/bin/pgbench"))[-1])
        subprocess.Popen([POSTGRES, "guard", directory, str(os.getpid())], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, start_new_session=True)
        self.cpu_before = 0.0        # of clusters that were stopped
        self.start()

    def start(self, **more):
        settings = dict(self.SETTINGS, **more)
        url = run([POSTGRES, "start", self.directory] + [f"{k}={v}" for k, v in settings.items()])
        place = re.search(r"host=([^&]*)", url)[1]
        with open(place + "/data/postmaster.pid") as f:
            self.pid = int(f.readline())

    def cpu(self):
        return self.cpu_before + cpu_seconds(self.pid)

    def stop(self):
        self.cpu_before = self.cpu()
        run([POSTGRES, "stop", self.directory])

    def remove(self):
        run([POSTGRES, "remove", self.directory])

    def url(self, name):
        return run([POSTGRES, "url", self.directory, name])

    def create(self, name):
        self.sql("postgres", f"CREATE DATABASE {name}")

    def sql(self, name, text=None, file=None, temporary=(), **variables):
        """The result as text, columns separated by |. temporary: tables' definitions and the files to fill them from."""
        args = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url(name)]
        for key, value in variables.items():
            args += ["-v", f"{key}={value}"]
        for table, path in temporary:
            args += ["-c", f"CREATE TEMP TABLE {table}", "-c", f"\\copy {table.split()[0]} FROM '{path}'"]
        return run(args + (["-c", text] if text else ["-f", os.path.join(HERE, file)]))

    def checkpoint(self):
        self.sql("postgres", "CHECKPOINT")

    def fsync_us(self):
        """What pg_test_fsync says of fdatasync, one 8 kB write each; it is ended as soon as it has said it."""
        path = os.path.join(self.directory, "fsync.test")
        child = subprocess.Popen([self.bin + "/pg_test_fsync", "-s", "1", "-f", path], stdout=subprocess.PIPE,
                                 text=True)
        found = None
        for line in child.stdout:
            words = line.split()
            if words[:1] == ["fdatasync"] and "ops/sec" in words:
                found = float(words[words.index("usecs/op") - 1])
                break
        child.terminate()
        child.wait()
        child.stdout.close()
        if os.path.exists(path):
            os.unlink(path)
        return found


def facts(database, options):
    """The head of the report."""
    def version(*args):
        done = subprocess.run(args, capture_output=True, text=True)
        return (done.stdout + done.stderr).strip().splitlines()[0]

    with open("/proc/cpuinfo") as f:
        model = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), platform.machine())
    with open(os.path.join(HERE, "package.json")) as f:
        peers = json.load(f)["dependencies"]
    redis = re.search(r"v=(\S+)", version("redis-server", "--version"))[1]
    settings = ", ".join(f"{k}={v}" for k, v in Database.SETTINGS.items())
    fsync = database.fsync_us()
    return [
        f"machine     {os.cpu_count()} cores, {model}; Linux {platform.release()}",
        f"PostgreSQL  {database.sql('postgres', 'SHOW server_version')}: {settings}; unix socket",
        "fsync       " + (f"{fsync:.0f} us (pg_test_fsync, fdatasync of 8 kB)" if fsync else "not known"),
        "peers       " + ", ".join(f"{name} {peers[name]}" for name in sorted(peers))
        + f" on node {version('node', '--version')}",
        f"            {version('/usr/sbin/nginx', '-v').split(': ')[-1]}; Redis {redis}",
        f"turns       {options.turns} of {options.seconds} s each, A B A B, medians (lowest–highest); "
        "CHECKPOINT before turns that write",
        "logging     peers: none; tallyd: TALLY_LOG_LEVEL=warn, so no line a request either",
        "load        " + " ".join(f"{x:.2f}" for x in os.getloadavg()) + " when it began",
    ]
