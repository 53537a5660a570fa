"""Whether firewalld loads a configuration: tried in a network namespace of its own, where no packet of the host comes.

Stands after kernel_rules.py.
"""

LOADS_SECONDS = 60
# Runs with firewalld's own interpreter. It ends with its parent; what it mounts and loads goes with its namespaces.
LOADING = """
import ctypes, os, shutil, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(1, 9)
folder, sets, rules4, rules6 = sys.argv[1:]
def mount(source, target, kind, flags):
    if libc.mount(source, target, kind, ctypes.c_ulong(flags), None):
        sys.exit(3)
if libc.unshare(0x40000000 | 0x00020000):
    sys.exit(3)
mount(b"none", b"/", None, 0x4000 | 0x40000)
# It may write to its folder, so it gets a copy.
mount(b"tmpfs", b"/mnt", b"tmpfs", 0)
shutil.copytree(folder, "/mnt/candidate", symlinks=False, ignore_dangling_symlinks=True)
mount(b"/mnt/candidate", b"/etc/firewalld", None, 4096)
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
subprocess.call(["ip", "link", "set", "lo", "up"], **quiet)
# What rules of the direct interface may name.
for argv, path in ((["ipset", "-exist", "restore"], sets), (["iptables-restore"], rules4), (["ip6tables-restore"], rules6)):
    if path:
        with open(path, "rb") as given:
            try:
                subprocess.call(argv, stdin=given, **quiet)
            except OSError:
                pass
from firewall import config
# Kernel modules are the host's.
config.COMMANDS["modprobe"] = "/bin/true"
from firewall.core.fw import Firewall
try:
    firewall = Firewall()
    firewall.start()
    state = firewall.get_state() if hasattr(firewall, "get_state") else firewall._state
    why = "" if state == "RUNNING" else "it ends as %s" % state
except BaseException as error:
    why = "%s: %s" % (type(error).__name__, error)
sys.stdout.write("\\nPORTFW " + " ".join(why.split())[:600] + "\\n")
sys.stdout.flush()
os._exit(0)
"""


def loads(folder=ETC, seconds=LOADS_SECONDS):
    """
    Empty where firewalld loads the configuration in a folder, else why not, in firewalld's words. None where it cannot be
    tried: a host may not allow namespaces.
    """
    first = read_bytes("/usr/sbin/firewalld").split(b"\n")[0].decode()
    with tempfile.TemporaryDirectory(prefix="portfw-loads-", dir="/run") as given:
        paths = [written_to(given, "sets", output_of(["ipset", "save"]))]
        others = {restore: missing_rules(text, "") for restore, text in rules_of_others().items()}
        paths += [written_to(given, restore, others.get(restore)) for _, restore in IPTABLES]
        try:
            done = subprocess.run(
                first[2:].split() + ["-c", LOADING, folder] + paths, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=seconds, cwd="/",
            )
        except subprocess.TimeoutExpired:
            return "it does not load within %d s" % seconds
        except OSError:
            return None
    said = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if line.startswith("PORTFW ")]
    return said[-1][len("PORTFW "):].strip() if said else None


def written_to(folder, name, text):
    if not text:
        return ""
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
    return path
