"""Saved generations: their list, and the return to one of them. Stands after steps.py."""


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
    """Zone files of others that runs have edited since a generation was saved."""
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


def rollback(request):
    """Back to an older generation; the present state is saved as a generation first."""
    recover()
    known = generation_ids()
    wanted = request["generation"]
    files = permanent_files()
    if wanted is None:
        for identity in reversed(known):
            try:
                _, saved = load_generation(identity)
            except Stop:
                continue  # one that cannot be read is none to go back to
            foreign = foreign_since(identity)
            if scope_hash(files, foreign) != scope_hash(for_rollback(saved, files, foreign), foreign):
                wanted = identity
                break
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
    saved = for_rollback(saved, files, foreign)
    # A run that was cut off may have left the files as they were and changed what runs.
    if scope_hash(files, foreign) == scope_hash(saved, foreign) and runs_as(meta):
        return {"kind": "same", "generation": wanted, "hash": file_hash(files)}
    identity = request["id"]
    take_lock(request)
    progress("locked")
    try:
        daemon = Daemon()
        require_answer()
        observed = observe(daemon, helpers=False)
        save(observed, direct_state(daemon), dict(request, foreign=foreign))
    except BaseException:
        release_lock()
        raise
    try:
        progress("restoring")
        homes = bindings_after(meta["bindings"], bindings(observed["runtime"]))
        # What is in force now stays in force until that generation is.
        proof = restore_generation(dict(meta, bindings=homes), saved, foreign, None, saved_rules(identity), identity)
        progress("restored")
    except BaseException as error:
        why = daemon.error_text(error)
        raise Stop(kind="failed", step="rollback", why=why, aftermath=undo(identity, why))
    return {
        "kind": "rolled-back",
        "generation": wanted,
        "hash": proof["permanentHash"],
        # Files that are not ours may have been changed by their owners since: they are left as they are.
        "whole": proof["permanentHash"] == meta["permanentHash"],
        "runtime": proof["runtimeHash"] == meta["runtimeHash"],
    }
