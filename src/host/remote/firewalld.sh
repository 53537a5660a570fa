# Carries out one request with the interpreter that firewalld itself uses. The request is a JSON document on standard input;
# the answer is one on standard output.
# The function firewalld_program, which prints the Python program of the steps, comes before this text.

interpreter=$(head -n 1 /usr/sbin/firewalld 2>/dev/null)
case $interpreter in
  '#!'*) interpreter=${interpreter#'#!'} ;;
  *)
    printf '%s' '{"kind":"absent"}'
    return 0
    ;;
esac
# The program has its own descriptor: the kernel limits the length of an argument (128 KiB).
# The interpreter's line may contain flags: they are separate words.
# shellcheck disable=SC2086
exec $interpreter -c '
import os
with os.fdopen(3, "rb") as handed:
    PROGRAM = handed.read()
exec(compile(PROGRAM, "portfw", "exec"))
' 3<<PORTFW_HANDED_OVER
$(firewalld_program)
PORTFW_HANDED_OVER
