"""Each target once, shortly: it starts, does its share, is killed, and still has what it acknowledged.

Servers that are not installed are skipped; ours is always there.
"""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HTTP_LOAD, STET = sys.argv.pop(1), sys.argv.pop(1)
PLACES = os.environ["PATH"] + "".join(":" + p for p in glob.glob("/usr/lib/postgresql/*/bin"))


def run(folder, target, *arguments):
    return subprocess.run(
        [HTTP_LOAD, "--program", STET, "--dir", folder, "--target", target, "--records", "1000",
         "--seconds", "0.1", "--warm", "0.02", "--connections", "3", *arguments],
        capture_output=True, text=True, timeout=120, check=False)


class Targets(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        os.chmod(self.folder, 0o711)  # PostgreSQL runs as another user there when we are root.

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def race(self, target, program, modes, *arguments):
        if program and not shutil.which(program, path=PLACES):
            self.skipTest(f"{program} is not installed")
        done = run(self.folder, target, "--mode", modes, "--audit", "restart", *arguments)
        if "built without its library" in done.stderr:
            self.skipTest(f"{target}: its library was not there")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("000 records are as acknowledged, and again after it was killed", done.stdout)
        for mode in modes.split(","):
            rows = [line for line in done.stdout.splitlines() if f" {mode} " in line]
            self.assertTrue(rows, f"{mode}: no row\n{done.stdout}")
        self.assertEqual(os.listdir(self.folder), [], "what the server left behind")

    def test_stet(self):
        self.race("stet", None, "update,put,get,get304,incr,add,post,fresh,stale,stale-patch")

    def test_stet_over_two_spaces(self):
        self.race("stet", None, "update,get", "--spaces", "2")

    def test_echo(self):
        done = run(self.folder, "echo", "--mode", "echo")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"echo +echo +3 +[1-9]")

    def test_starts(self):
        done = run(self.folder, "stet", "--starts", "3")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"stet +[0-9.]+ +[1-9]")
        self.assertEqual(os.listdir(self.folder), [])

    def test_redis(self):
        self.race("redis", "redis-server", "update,get,incr,add")

    def test_postgres(self):
        self.race("postgres", "postgres", "update,get,get304,incr,add", "--variants",
                  "function,serializable,serializable+jitter+history,update,update+history")

    def test_etcd(self):
        self.race("etcd", "etcd", "update,get,incr")

    def test_a_way_that_loses_increments_is_noticed(self):
        if not shutil.which("postgres", path=PLACES):
            self.skipTest("postgres is not installed")
        done = run(self.folder, "postgres", "--mode", "add", "--variants", "lossy", "--seconds", "1")
        if "built without its library" in done.stderr:
            self.skipTest("libpq was not there")
        self.assertEqual(done.returncode, 1, done.stdout)
        # At an answer that goes back, or in the end.
        self.assertRegex(done.stderr, "add of counter from version|increments were acknowledged")


if __name__ == "__main__":
    unittest.main()
