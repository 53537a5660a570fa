# Carries out one request with the interpreter that firewalld itself uses. The request, a JSON document, is on
# standard input; the answer, another one, goes to standard output.
# The function firewalld_program, which prints the Python program of the steps, stands before this text.

interpreter=$(head -n 1 /usr/sbin/firewalld 2>/dev/null)
case $interpreter in
  '#!'*) interpreter=${interpreter#'#!'} ;;
  *)
    printf '%s' '{"kind":"absent"}'
    return 0
    ;;
esac
# The program comes on a descriptor of its own: as an argument, its length would be limited by the kernel (128 KiB).
# The interpreter's line may carry flags: they are words of their own.
# shellcheck disable=SC2086
exec $interpreter -c '
import os
with os.fdopen(3, "rb") as handed:
    PROGRAM = handed.read()
exec(compile(PROGRAM, "portfw", "exec"))
' 3<<PORTFW_HANDED_OVER
$(firewalld_program)
PORTFW_HANDED_OVER
