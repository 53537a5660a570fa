"""The host's lock, atomic file writes, and generations (saved configurations).

Comes after runs.py.
"""

import base64
import errno
import time

GENERATIONS = STATE + "/generations"
KEPT_GENERATIONS = 30
# A file that is moved aside for a moment: firewalld does not read the name, and it is not part of the configuration.
ASIDE = ".portfw-aside-"
# A portfw file by its prefix, also if another program wrote it: a rollback must restore what an apply may delete.
OUR_FILE = re.compile(r"^(%s)/portfw-[A-Za-z0-9_.-]{1,64}\.xml\Z" % "|".join(OUR_FOLDERS))
ZONE_FILE = re.compile(r"^zones/\w[\w.-]{0,63}\.xml\Z")
# What `write_file` writes before it is renamed.
UNFINISHED = re.compile(r"^\.portfw-[0-9]+-[0-9a-f]{12}\Z")


def take_lock(request):
    """Takes the host's lock for one run; the caller has ended dead runs before (guard.py, recover)."""
    os.makedirs(os.path.dirname(LOCK), mode=0o700, exist_ok=True)
    try:
        os.mkdir(LOCK, 0o700)
    except FileExistsError:
        raise Stop(kind="locked", lock=holder_of_lock())
    holder = {"holder": request["holder"], "since": stamp(), "id": request["id"]}
    try:
        write_file(LOCK + "/holder.json", json.dumps(holder).encode(), 0o600)
    except OSError as error:
        release_lock()
        raise Stop(kind="failed", step="taking the lock", why=plain_error(error), aftermath={"kind": "untouched"})
    except BaseException:
        release_lock()
        raise


def progress(step):
    """Notes the step of a run: for `portfw status`, and to find out where it stopped."""
    try:
        handle = os.open(LOCK + "/step", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(handle, step.encode())
        finally:
            os.close(handle)
    except OSError:
        pass


def release_lock():
    remove_folder(LOCK, ("holder.json", "step"))


def stamp():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def write_file(path, content, mode, owner=None, context=None):
    """Replaces a file atomically: written beside it, flushed to disk, renamed. A link below /etc/firewalld stays: its target is replaced."""
    if path.startswith(ETC + "/"):
        path = os.path.realpath(path)
    folder = os.path.dirname(path)
    temporary = os.path.join(folder, ".portfw-%s-%s" % (os.getpid(), base64.b16encode(os.urandom(6)).decode().lower()))
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(handle, view):]
            os.fchmod(handle, mode)
            if owner is not None:
                os.fchown(handle, owner[0], owner[1])
            os.fsync(handle)
        finally:
            os.close(handle)
        if context is None and os.path.exists(path):
            context = security_context(path)
        if context is not None:
            set_security_context(temporary, context)
        try:
            os.rename(temporary, path)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            # Something is mounted on it, so it cannot be replaced.
            overwrite(path, content, mode, owner)
            os.unlink(temporary)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise
    flush(folder)


def overwrite(path, content, mode, owner):
    """Writes a file in place. If that is interrupted, the rollback repairs it: the old content is in the generation."""
    handle = os.open(path, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view):]
        os.ftruncate(handle, len(content))
        os.fchmod(handle, mode)
        if owner is not None:
            os.fchown(handle, owner[0], owner[1])
        os.fsync(handle)
    finally:
        os.close(handle)


def flush(path):
    """Flushes a file's bytes or a folder's names to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_scope(foreign):
    """Flushes what firewalld wrote: a power cut must not lose it once the rollback is disarmed."""
    for kind in OUR_FOLDERS:
        folder = os.path.join(ETC, kind)
        if os.path.isdir(folder):
            for name in os.listdir(folder):
                if in_scope("%s/%s" % (kind, name), foreign) and os.path.isfile(os.path.join(folder, name)):
                    flush(os.path.join(folder, name))
            flush(folder)


def owner_of(item):
    """The owner of a described file, as chown takes it."""
    return tuple(int(part) for part in item["owner"].split(":"))


def security_context(path):
    try:
        return base64.b64encode(os.getxattr(path, "security.selinux")).decode()
    except (OSError, AttributeError):
        return None


def set_security_context(path, context):
    try:
        os.setxattr(path, "security.selinux", base64.b64decode(context))
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.ENODATA):
            raise


def target_of(path):
    """The absolute path of a portfw file or a zone file; refuses any other path."""
    if not (OUR_FILE.match(path) or ZONE_FILE.match(path)):
        raise Stop(kind="failed", step="write", why="not a path that portfw may write: %r" % path, aftermath={"kind": "untouched"})
    return in_etc(path)


def our_target(path):
    """The same for portfw files only."""
    if not OUR_FILE.match(path):
        raise RuntimeError("not a file of portfw: %r" % path)
    return target_of(path)


def in_scope(path, foreign):
    return bool(OUR_FILE.match(path)) or path in foreign


def remove_old_copies():
    """Removes `.old` copies of portfw files, which the daemon leaves, and unfinished writes. A foreign copy that was moved aside when
    a run was killed is moved back."""
    for kind in OUR_FOLDERS:
        folder = os.path.join(ETC, kind)
        if not os.path.isdir(folder):
            continue
        for name in os.listdir(folder):
            path = "%s/%s" % (kind, name[: -len(".old")])
            place = os.path.join(folder, name)
            if name.startswith(ASIDE):
                os.rename(place, os.path.join(folder, name[len(ASIDE):]))
            elif name.startswith(".portfw-") or (name.endswith(".old") and OUR_FILE.match(path)):
                os.unlink(place)
            elif os.path.islink(place):
                remove_unfinished(os.path.dirname(os.path.realpath(place)))


def remove_unfinished(folder):
    """Removes unfinished writes of killed steps in the folder of a link's target."""
    try:
        for name in os.listdir(folder):
            if UNFINISHED.match(name):
                os.unlink(os.path.join(folder, name))
    except OSError:
        pass


def save_generation(observed, request):
    os.makedirs(GENERATIONS, mode=0o700, exist_ok=True)
    os.chmod(STATE, 0o700)
    folder = os.path.join(GENERATIONS, request["id"])
    os.mkdir(folder, 0o700)
    try:
        files = []
        for item in observed["files"]:
            path = in_etc(item["path"])
            files.append(
                {
                    "path": item["path"],
                    "content": base64.b64encode(item["bytes"]).decode(),
                    "mode": item["mode"],
                    "owner": item["owner"],
                    "sha256": item["sha256"],
                    "context": security_context(path),
                }
            )
        foreign = request.get("foreign", [])
        meta = {
            "format": 1,
            "id": request["id"],
            "savedAt": stamp(),
            "savedBy": request["holder"],
            "before": request["what"],
            "foreign": foreign,
            "permanentHash": observed["permanentHash"],
            "runtimeHash": observed["runtimeHash"],
            "scopeHash": scope_hash(observed["files"], foreign),
            "bindings": bindings(observed["runtime"]),
            "networkManager": observed["networkManager"],
            "state": read_state(),
            # Set if firewalld did not run: the rollback stops it again.
            "stopped": observed.get("stopped"),
        }
        write_file(os.path.join(folder, "files.json"), json.dumps(files).encode(), 0o600)
        runtime = dict(observed["runtime"], directState=observed["directState"])
        write_file(os.path.join(folder, "runtime.json"), json.dumps(runtime).encode(), 0o600)
        save_rules(request["id"], kernel_rules())
        write_file(os.path.join(folder, "meta.json"), json.dumps(meta).encode(), 0o600)
        flush(GENERATIONS)
    except BaseException:
        remove_generation(request["id"])
        raise
    return meta


def remove_generation(identity):
    files = ("meta.json", "files.json", "runtime.json", "rules.json.gz", "memory.json", "kept", "reverted")
    remove_folder(os.path.join(GENERATIONS, identity), files)


def remove_folder(folder, files):
    for name in files:
        try:
            os.unlink(os.path.join(folder, name))
        except OSError:
            pass
    try:
        os.rmdir(folder)
    except OSError:
        pass


def generation_ids():
    """In the order in which this host saved them: the names come from controllers, whose clocks may be wrong."""
    try:
        return sorted((name for name in os.listdir(GENERATIONS) if ID.match(name)), key=lambda name: (saved_at(name), name))
    except OSError:
        return []


def saved_at(identity):
    try:
        return os.stat("%s/%s/meta.json" % (GENERATIONS, identity)).st_mtime_ns
    except OSError:
        return 0


def load_generation(identity):
    if not ID.match(identity):
        raise Stop(kind="failed", step="load", why="not the name of a generation", aftermath={"kind": "untouched"})
    folder = os.path.join(GENERATIONS, identity)
    try:
        meta = json.loads(read_bytes(folder + "/meta.json").decode())
        with open(folder + "/files.json", "rb") as handle:
            files = json.loads(handle.read().decode())
    except (OSError, ValueError) as error:
        raise Stop(kind="no-generation", why="generation %s cannot be read: %s" % (identity, error), known=generation_ids())
    return meta, files


def saved_runtime(identity):
    """The runtime when a generation was saved; None for an older format."""
    try:
        with open("%s/%s/runtime.json" % (GENERATIONS, identity), "rb") as handle:
            return json.loads(handle.read().decode())
    except (OSError, ValueError):
        return None


def scope_hash(files, foreign):
    return file_hash([f for f in files if in_scope(f["path"], foreign)])


def bindings(runtime):
    return {name: zone for zone, item in runtime["zones"].items() for name in item.get("interfaces", [])}


def read_state():
    try:
        return read_bytes(STATE + "/state.json").decode()
    except (OSError, UnicodeDecodeError):
        return None
