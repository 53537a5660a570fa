"""The host's journal: one JSON line for each run that has ended, with the SHA-256 of the line before.

Comes after generations.py. A run never depends on it: it is written after the decision, waits for nothing, and no error leaves it.
"""

import socket

JOURNAL = STATE + "/journal.jsonl"
# The number and the digest of the last line, written after it: they show that lines are missing at the end.
JOURNAL_HEAD = STATE + "/journal.head"
# A longer file is renamed to journal.1.jsonl, journal.2.jsonl and so on, and the chain goes on in a new one.
LARGEST_JOURNAL = 10 * 1024 * 1024
LONGEST_LINE = 1024 * 1024
MOST_SENT = 16 * 1024 * 1024


def journal_run(identity, outcome, by, why, record):
    """Adds the line for the end of a run. Returns why that is not possible; None if it is there."""
    trouble = None
    try:
        given = record.get("audit")
        entry = dict(given) if isinstance(given, dict) else {}
        entry.update(who=record.get("holder"), what=record.get("what"), format=1, at=stamp(), id=identity)
        entry.update(outcome=outcome, by=by, why=str(why)[:1000])
        try:
            append_entry(entry)
        except Exception as error:
            trouble = plain_error(error)
        tell_syslog(json.dumps(entry, sort_keys=True))
    except Exception as error:
        trouble = trouble or plain_error(error)
    return trouble


def open_journal(path, flags):
    """Opens a regular file, without waiting for the other end if it is a FIFO."""
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, 0o600)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return handle


def append_entry(entry):
    """Adds a line, or nothing. The operation's lock keeps other writers out."""
    handle = open_journal(JOURNAL, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        size = os.fstat(handle).st_size
        tail = os.pread(handle, LONGEST_LINE, max(0, size - LONGEST_LINE))
        before, _, last = tail.rstrip(b"\n").rpartition(b"\n")
        known = entry_in(last)
        if known.get("id") == entry["id"] and known.get("outcome") == entry["outcome"]:
            return  # the process that added it was killed before it could end the run
        torn = tail[-1:] not in (b"", b"\n")
        entry["seq"], entry["previous"] = next_link(before.rpartition(b"\n")[2], last, torn)
        line = json.dumps(entry, sort_keys=True).encode()
        if size > LARGEST_JOURNAL:
            os.rename(JOURNAL, older_journal(len(older_journals()) + 1))
            fresh = open_journal(JOURNAL, os.O_RDWR | os.O_CREAT | os.O_APPEND)
            os.close(handle)
            handle, size, torn = fresh, 0, False
        whole = (b"\n" if torn else b"") + line + b"\n"
        try:
            if os.write(handle, whole) != len(whole):
                raise OSError(errno.ENOSPC, "no space left for a line", JOURNAL)
            os.fsync(handle)
            head = {"seq": entry["seq"], "digest": hashlib.sha256(line).hexdigest()}
            write_file(JOURNAL_HEAD, json.dumps(head).encode(), 0o600)
        except BaseException:
            os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)


def next_link(before, last, torn):
    """The number of the line after the last, and the digest that it names. Where lines are missing before it, it leaves the gap visible."""
    digest = hashlib.sha256(last).hexdigest()
    if torn:
        # A torn line counts as one. The writer of the line before it may have been killed before it wrote the head.
        return next_link(b"", before, False)[0] + 1, digest
    number = entry_in(last).get("seq")
    try:
        head = entry_in(journal_text(JOURNAL_HEAD, 1024))
    except OSError:
        head = {}
    at = head.get("seq") if isinstance(head.get("seq"), int) else 0
    if isinstance(number, int) and (number > at or digest == head.get("digest")):
        return number + 1, digest
    return at + 1, head.get("digest")


def entry_in(line):
    try:
        found = json.loads(line.decode())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def journal_text(path, most):
    handle = open_journal(path, os.O_RDONLY)
    with os.fdopen(handle, "rb") as opened:
        return opened.read(most)


def older_journal(number):
    return "%s/journal.%d.jsonl" % (STATE, number)


def older_journals():
    found = []
    while os.path.lexists(older_journal(len(found) + 1)):
        found.append(older_journal(len(found) + 1))
    return found


def tell_syslog(line):
    """Gives a line to systemd's journal or to syslog, and does not wait for either."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        client.setblocking(False)
        client.sendto(b"<29>portfw: " + line.encode(), "/dev/log")
    except OSError:
        pass  # there is none, or it is too busy
    finally:
        client.close()


def journal(_request):
    """The texts of the journal's files, the newest last, byte for byte as characters; and what cannot be read."""
    texts, trouble, budget = [], [], MOST_SENT
    for path in [JOURNAL] + older_journals()[::-1]:
        try:
            text = journal_text(path, MOST_SENT + LARGEST_JOURNAL).decode("latin-1")
        except OSError as error:
            if error.errno != errno.ENOENT:
                trouble.append(plain_error(error))
            continue
        if len(text) > budget:
            trouble.append("%s and older files are too large to send" % path)
            break
        budget -= len(text)
        texts.insert(0, text)
    head = None
    try:
        head = journal_text(JOURNAL_HEAD, 1024).decode("latin-1")
    except OSError as error:
        if error.errno != errno.ENOENT:
            trouble.append(plain_error(error))
    return {"kind": "journal", "texts": texts, "head": head, "trouble": trouble}
