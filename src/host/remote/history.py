"""Saved generations: their list, and the rollback to one of them. Comes after steps.py."""


def history(_request):
    files = permanent_files()
    generations = []
    for identity in generation_ids():
        try:
            meta, saved = load_generation(identity)
        except Stop:
            continue
        foreign = foreign_since(identity)
        generations.append(
            {
                "id": meta["id"],
                "savedAt": meta["savedAt"],
                "savedBy": meta["savedBy"],
                "before": meta["before"],
                "permanentHash": meta["permanentHash"],
                "current": scope_hash(files, foreign) == scope_hash(for_rollback(saved, files, foreign), foreign),
            }
        )
    return {"kind": "history", "generations": generations, "pending": unfinished()["runs"]}


def foreign_since(identity):
    """Foreign zone files that runs have edited since a generation was saved."""
    found = set()
    saved = generation_ids()
    for other in saved[saved.index(identity) :] if identity in saved else []:
        try:
            found.update(path for path in load_generation(other)[0]["foreign"] if ZONE_FILE.match(path))
        except Stop:
            continue
    return sorted(found)


def runs_as(meta):
    return observe(Daemon(), helpers=False)["runtimeHash"] == meta["runtimeHash"]


def newest_that_differs(files):
    """The newest readable generation with other files than the current ones, as a rollback restores them; None without one."""
    for identity in reversed(generation_ids()):
        try:
            _, saved = load_generation(identity)
        except Stop:
            continue  # an unreadable generation is skipped
        foreign = foreign_since(identity)
        if scope_hash(files, foreign) != scope_hash(for_rollback(saved, files, foreign), foreign):
            return identity
    return None


def newest_generation():
    """The newest readable generation; None without one."""
    for identity in reversed(generation_ids()):
        try:
            load_generation(identity)
        except Stop:
            continue
        return identity
    return None


def chosen_generation(request, files):
    """The generation to return to: its metadata, its files as they will be restored, and the foreign files among them."""
    known = generation_ids()
    wanted = request["generation"] or newest_that_differs(files)
    if wanted is None or wanted not in known:
        raise Stop(kind="no-generation", why="there is no such generation", known=known)
    meta, saved = load_generation(wanted)
    if meta.get("stopped"):
        raise Stop(
            kind="no-generation",
            why="generation %s was saved while firewalld did not run: to return to it, stop and disable firewalld" % wanted,
            known=known,
        )
    foreign = foreign_since(wanted)
    return meta, for_rollback(saved, files, foreign), foreign


def moved_connections(meta, now):
    """The connections that a rollback changes, as (uuid, zone then, zone now): those with a portfw zone, now or in the generation."""
    zones = [(item["uuid"], item["zone"], now.get(item["uuid"], "")) for item in meta.get("networkManager") or []]
    return [(uuid, then, present) for uuid, then, present in zones if then.startswith(PREFIX) or present.startswith(PREFIX)]


def saved_text(item):
    """The content of a saved file for firewalld's parser; empty if it cannot be read."""
    try:
        return readable(base64.b64decode(item["content"]), expected_in(item["path"]))
    except ValueError:
        return ""


def look_rollback(request):
    """What a rollback would restore. Without a generation that differs, it is about the newest one. Changes nothing."""
    files = permanent_files()
    wanted = request["generation"] or newest_that_differs(files)
    meta, saved, foreign = chosen_generation(dict(request, generation=wanted or newest_generation()), files)
    daemon = Daemon()
    restored = [item for item in saved if in_scope(item["path"], foreign)]
    after = [item for item in files if not in_scope(item["path"], foreign)] + restored
    bound = bindings({"zones": plain(daemon.call(".zone", "getActiveZones"))})
    return {
        "kind": "generation",
        "generation": {key: meta[key] for key in ("id", "savedAt", "savedBy", "before", "permanentHash")},
        "same": wanted is None or is_there(meta, saved, foreign, files),
        # Foreign files may have been changed by their owners since: they are not changed back.
        "whole": file_hash(after) == meta["permanentHash"],
        "files": [{"path": item["path"], "text": saved_text(item)} for item in restored],
        "foreign": foreign,
        "bindings": sorted(bindings_after(meta["bindings"], bound).items()),
        "connections": [[uuid, then] for uuid, then, _ in moved_connections(meta, nm_zones_of(nm_connections()))],
        "state": meta["state"],
    }


def is_there(meta, saved, foreign, files):
    # A killed run may have changed only the runtime.
    return scope_hash(files, foreign) == scope_hash(saved, foreign) and runs_as(meta)


def rehearse_rollback(request):
    """Rehearses the current files and those after a rollback. Changes nothing."""
    if unfinished()["runs"]:
        raise Stop(kind="unrehearsed", why="another run on the host has not ended")
    files = permanent_files()
    meta, saved, foreign = chosen_generation(request, files)
    if is_there(meta, saved, foreign, files):
        return {"kind": "same", "generation": meta["id"], "hash": file_hash(files)}
    daemon = Daemon()
    bound = bindings({"zones": plain(daemon.call(".zone", "getActiveZones"))})
    direct = plain(daemon.call(".direct", "getAllRules"))
    moves = [(uuid, then) for uuid, then, _ in moved_connections(meta, nm_zones_of(nm_connections()))]
    back = Rehearsal(
        "boot",
        lambda folder: with_saved(folder, saved, foreign),
        bindings=bindings_after(meta["bindings"], bound),
        ways=request["ways"],
        from_outside=bound_by_others(bound, moves),
    )
    disk = Rehearsal("disk", lambda folder: None, ways=request["ways"], from_outside=bound_by_others(bound))

    def candidates(surroundings):
        surroundings.direct = direct
        return [disk, back]

    return dict(rehearsed(candidates, request), generation=meta["id"])


def with_saved(folder, saved, foreign):
    """Turns a copied configuration into that after the rollback."""
    with_ours(folder, [], [])
    for path in foreign:
        if os.path.isfile(os.path.join(folder, path)):
            os.unlink(os.path.join(folder, path))
    for item in saved:
        if in_scope(item["path"], foreign):
            put_file(folder, item["path"], base64.b64decode(item["content"]))


def rollback(request):
    """Returns to an older generation; the current state is saved as a generation first."""
    recover()
    files = permanent_files()
    meta, saved, foreign = chosen_generation(request, files)
    wanted = meta["id"]
    if is_there(meta, saved, foreign, files):
        return {"kind": "same", "generation": wanted, "hash": file_hash(files)}
    identity = request["id"]
    take_lock(request)
    progress("locked")
    try:
        daemon = Daemon()
        require_answer()
        observed = observe(daemon, helpers=False)
        # The plan that was reviewed is about this state, and about this generation.
        if request["observedHash"] not in (None, observed["hash"]) or request["permanentHash"] != meta["permanentHash"]:
            raise Stop(kind="drifted", hash=observed["hash"])
        save(observed, direct_state(daemon), dict(request, foreign=foreign))
    except BaseException:
        release_lock()
        raise
    try:
        progress("restoring")
        homes = bindings_after(meta["bindings"], bindings(observed["runtime"]))
        # The current rules stay in force until the generation is loaded.
        proof = restore_generation(dict(meta, bindings=homes), saved, foreign, None, saved_rules(identity), identity)
        progress("restored")
    except BaseException as error:
        why = daemon.error_text(error)
        raise Stop(kind="failed", step="rollback", why=why, aftermath=undo(identity, why))
    return {
        "kind": "rolled-back",
        "generation": wanted,
        "hash": proof["permanentHash"],
        # Foreign files may have been changed by their owners since: they are not changed back.
        "whole": proof["permanentHash"] == meta["permanentHash"],
        "runtime": proof["runtimeHash"] == meta["runtimeHash"],
    }
