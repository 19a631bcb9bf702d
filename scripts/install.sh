#!/bin/sh
# Installs the daemon into the virtual environment $1, with the extras $2 and those chosen there before:
#
#   install.sh VENV [synth|musicgen|acestep|all, several with commas between] [--upgrade]
#
# TORCH says where torch comes from: cpu, default (the package index of pip), or another folder of
# download.pytorch.org/whl, such as cu130 or rocm6.4. Without it choose_torch.sh looks at the machine, once.
# --upgrade takes the newest packages that pyproject.toml allows. The choices are kept in VENV/.extras and
# VENV/.torch, what pip said in VENV/.pip.log.
set -eu

venv=$1 wanted=${2-} upgrade=${3-}
cd "$(dirname "$0")/.."
python=$venv/bin/python log=$venv/.pip.log stamp=$venv/.installed

has() { case " $extras " in *" $1 "*) return 0 ;; esac; return 1; }

extras=
before=$(cat "$venv/.extras" 2>/dev/null) || before=
IFS=" ,
"
for extra in $before $wanted; do
    case $extra in
        synth) ;; # comes with every installation
        musicgen | acestep | all) has "$extra" || extras="$extras $extra" ;;
        *) echo "There is no $extra to install; choose synth, musicgen, acestep or all." >&2; exit 2 ;;
    esac
done
extras=${extras# }
unset IFS

torch= torch_before=$(cat "$venv/.torch" 2>/dev/null) || torch_before=
if [ -n "$extras" ]; then
    torch=${TORCH:-${torch_before:-$(scripts/choose_torch.sh)}}
fi

if [ -e "$stamp" ] && [ "$upgrade" = "" ] && [ "$extras" = "$before" ] && [ "$torch" = "$torch_before" ]; then
    exit 0
fi
# Two editors may be updated at a time.
busy=$venv/.busy
if other=$(cat "$busy" 2>/dev/null) && kill -0 "$other" 2>/dev/null; then
    echo "Another installation (process $other) is at work in $venv; run it again when that has ended." >&2
    exit 1
fi
rm -f "$stamp"
scripts/make_venv.sh "$venv"
echo $$ > "$busy"
trap 'rm -f "$busy"' EXIT
: > "$log"

# Of all that pip says: what it fetches, how large that is, and how many packages it puts in place.
tell() {
    while IFS= read -r line; do
        case $line in
            "Progress "*) echo "$line"; continue ;;
        esac
        printf '%s\n' "$line" >> "$log"
        case $line in
            *.metadata\ \(*) ;;
            *Downloading\ *\)|*"Using cached "*\))
                file=${line##*ing } file=${file##*cached } file=${file##*/}
                name=${file%%-*} version=${file#*-}
                echo "  $name ${version%%-*} (${line##*\(}" ;;
            "Installing collected packages: "*)
                set -- ${line#*: }
                echo "  installing $# packages" ;;
        esac
    done
}

pip() {
    rm -f "$venv/.failed"
    {
        "$python" -m pip --disable-pip-version-check --no-input --no-color "$@" 2>&1 </dev/null || : > "$venv/.failed"
    } | tell
    if [ -e "$venv/.failed" ]; then
        rm "$venv/.failed"
        explain "$@"
    fi
}

said() { grep -Eiq "$1" "$log"; }

# Why pip failed, in a sentence.
explain() {
    if said 'no space left'; then
        why="The disk is full; make room and run it again."
    elif said 'NewConnectionError|Max retries|ConnectTimeout|ReadTimeout|name resolution|unreachable|connection broken'
    then
        case "$*" in
            *"$torch_index"*) why="$torch_index cannot be reached; try again, or take torch from where pip takes \
everything else: TORCH=default." ;;
            *) why="The package index cannot be reached; look after the network (or the proxy) and run it again." ;;
        esac
    else
        why=$(grep -E '^ *(ERROR|error)' "$log" | tail -n 1 | sed 's/^ *ERROR: *//') || why="pip failed."
    fi
    echo "$why (What pip said: $log)" >&2
    exit 1
}

# For a program that reads along, LOFI_PROGRESS=1: bytes of each file, where pip is new enough to tell them.
progress=off
if [ -n "${LOFI_PROGRESS:-}" ]; then
    progress=$("$python" -c 'import pip
print("raw" if [int(part) for part in pip.__version__.split(".")[:2]] >= [24, 1] else "off")')
fi

newer=
[ -z "$upgrade" ] || newer="--upgrade --upgrade-strategy eager"

hold= torch_index=none
if [ -n "$torch" ]; then
    case $torch in
        default) from="the build that pip's package index has" ;;
        *) torch_index=https://download.pytorch.org/whl/$torch from="the build from $torch_index" ;;
    esac
    case $(uname -s)$torch in
        Darwin*) size="0.3 GB to fetch, 1.3 GB on disk" ;;
        *cpu) size="0.3 GB to fetch, 1.3 GB on disk" ;;
        *) size="3 GB to fetch, 7 GB on disk: CUDA" ;;
    esac
    if [ "$torch" != "$torch_before" ]; then
        echo "torch: $from, about $size. TORCH=cpu or TORCH=default chooses by hand."
        [ -z "$torch_before" ] || pip uninstall --yes torch
    fi
    # By itself: with two indexes at hand pip takes the higher version, wherever it is from.
    if [ "$torch" != default ]; then
        requirement=$("$python" -c 'import tomllib
for line in tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["musicgen"]:
    if line.startswith("torch"):
        print(line)')
        pip install --progress-bar $progress $newer --index-url "$torch_index" "$requirement"
        version=$("$python" -c 'from importlib.metadata import version; print(version("torch"))')
        echo "torch==$version" > "$venv/.hold"
        hold="--constraint $venv/.hold"
    fi
fi

if [ -n "$extras" ]; then
    echo "Installing the daemon and what $extras needs into $venv."
else
    echo "Installing the daemon into $venv (60 MB to fetch, 250 MB on disk)."
fi
pip install --progress-bar $progress $newer $hold --editable ".${extras:+[$(echo "$extras" | sed 's/ /,/g')]}"
rm -f "$venv/.hold"
echo "$extras" > "$venv/.extras"
[ -z "$torch" ] || echo "$torch" > "$venv/.torch"
: > "$stamp"
