"""Each queue once, shortly: it starts, every job is done once, and a queue that hands a job out twice gets no figure.

Servers that are not installed are skipped; ours is always there.
"""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

QUEUE_LOAD, STET = sys.argv.pop(1), sys.argv.pop(1)
PLACES = os.environ["PATH"] + "".join(":" + p for p in glob.glob("/usr/lib/postgresql/*/bin"))


class Queues(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        os.chmod(self.folder, 0o711)  # PostgreSQL runs as another user there when we are root.

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def run_it(self, target, program, *arguments):
        if program and not shutil.which(program, path=PLACES):
            self.skipTest(f"{program} is not installed")
        done = subprocess.run(
            [QUEUE_LOAD, "--program", STET, "--dir", self.folder, "--target", target, "--rounds", "1",
             "--seconds", "0.1", "--warm", "0.02", "--connections", "5", *arguments],
            capture_output=True, text=True, timeout=120, check=False)
        if "built without its library" in done.stderr:
            self.skipTest(f"{target}: its library was not there")
        self.assertEqual(os.listdir(self.folder), [], "what the server left behind")
        return done

    def race(self, target, program, modes):
        done = self.run_it(target, program)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("every job was done once, and none is left", done.stdout)
        for mode in modes:
            self.assertRegex(done.stdout, rf"{target} +{mode} +[25] +[1-9]")

    def test_beanstalkd(self):
        self.race("beanstalkd", "beanstalkd", ["submit", "cycle", "wake"])

    def test_postgres(self):
        self.race("postgres", "postgres", ["submit", "cycle"])

    def test_stet(self):
        self.race("stet", None, ["submit", "cycle", "wake"])

    def test_a_job_handed_out_twice_is_noticed(self):
        done = self.run_it("racy", "postgres", "--mode", "cycle", "--seconds", "60")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("claimed or completed twice", done.stderr)


if __name__ == "__main__":
    unittest.main()
