# Sourced by scripts/ermbit and scripts/test, which set $root (the checkout, physical path).
#
# .venv/.ermbit-stamp is written last and says what the environment was made for, one fact a line:
# the checksums of pyproject.toml and constraints.txt, the profile (run or dev), and $root, because
# a virtual environment does not survive being moved. As long as it matches, nothing but cksum runs,
# and find where Python may not keep what it compiles.

venv=$root/.venv
python=$venv/bin/python
unset PYTHONHOME

# Prints nothing and returns 0 when .venv serves the profile $1.
ermbit_is_ready() {
    [ -x "$python" ] && [ -r "$venv/.ermbit-stamp" ] || return 1
    {
        IFS= read -r stamped_sums
        IFS= read -r stamped_profile
        IFS= read -r stamped_root
    } <"$venv/.ermbit-stamp"
    [ "$stamped_sums" = "$sums" ] && [ "$stamped_root" = "$root" ] || return 1
    [ "$stamped_profile" = "$1" ] || [ "$stamped_profile" = dev ]
}

# Prints the first Python >= 3.11, one that can make environments by itself if there is any;
# $ERMBIT_PYTHON alone is asked where it is set. Every candidate is run, because a command of that
# name may be a stub that only says what is missing.
ermbit_find_python() {
    second_choice=
    if [ -n "${ERMBIT_PYTHON:-}" ]; then
        set -- "$ERMBIT_PYTHON"
    else
        set -- python3.13 python3.12 python3.11 python3 python python3.14
    fi
    for candidate in "$@"; do
        command -v "$candidate" >/dev/null 2>&1 || continue
        "$candidate" -I -c '
import sys
if sys.version_info < (3, 11):
    sys.exit(4)
try:
    import ensurepip, venv
except ImportError:
    sys.exit(3)
' >/dev/null 2>&1 </dev/null
        case $? in
        0) printf '%s\n' "$candidate" && return 0 ;;
        3) [ -n "$second_choice" ] || second_choice=$candidate ;;
        esac
    done
    [ -n "$second_choice" ] && printf '%s\n' "$second_choice"
}

# Compiles the sources that are newer than their last compilation, where Python is told not to keep
# what it compiles (PYTHONDONTWRITEBYTECODE, which many containers set): every process would compile
# them anew, which is half of a short run. pip compiles what it installs in any case, but the
# checkout is not installed by copy. A failure costs time only.
ermbit_compile() {
    [ -n "${PYTHONDONTWRITEBYTECODE:-}" ] && [ -w "$venv" ] || return 0
    compiled=$venv/.ermbit-compiled
    if [ -e "$compiled" ] &&
        { [ -n "${PYTHONPYCACHEPREFIX:-}" ] || [ -d "$root/solver/ermbit/__pycache__" ]; }; then
        newer=$(CDPATH='' cd -- "$root" && find solver encodings instances scripts \
            -name '*.py' -newer "$compiled" 2>/dev/null)
        [ -n "$newer" ] || return 0
    fi
    (: >"$compiled.new") 2>/dev/null || return 0
    (CDPATH='' cd -- "$root" &&
        "$python" -m compileall -q solver encodings instances scripts) >/dev/null 2>&1
    mv -f "$compiled.new" "$compiled" 2>/dev/null || :
}

# Makes .venv serve the profile $1 (run or dev), or ends the script.
ermbit_bootstrap() {
    sums=$(CDPATH='' cd -- "$root" && cksum pyproject.toml constraints.txt) || exit 2
    # shellcheck disable=SC2086 # splitting puts both checksums on one line
    set -- "$1" $sums
    profile=$1
    shift
    sums=$*
    if ermbit_is_ready "$profile"; then
        ermbit_compile
        return 0
    fi
    maker=$(ermbit_find_python) || {
        echo "ermbit: no Python 3.11 or newer found: install one (python3) and run this again" >&2
        exit 2
    }
    "$maker" -I "$root/scripts/_bootstrap.py" "$root" "$profile" "$sums" </dev/null || exit $?
    ermbit_compile
}
