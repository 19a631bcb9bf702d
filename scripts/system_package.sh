#!/bin/sh
# Installs a package of the operating system where that needs no question (root or a sudo that asks
# nothing on Debian and Ubuntu, Homebrew on macOS); elsewhere prints the command and exits 1.
#
#   system_package.sh portaudio | luacheck | dbus | python3.X-venv
set -u

what=$1
system=$(uname -s)

# Columns: Debian, Homebrew, Fedora, Arch, openSUSE. "-" = not needed or not packaged there.
case "$what" in
    portaudio) set -- libportaudio2 portaudio portaudio portaudio libportaudio2 ;;
    luacheck) set -- lua-check luacheck luacheck luacheck - ;;
    dbus) set -- dbus - dbus-daemon dbus dbus-1 ;;
    python*-venv) set -- "$what" - - - - ;;
    *) echo "system_package.sh: unknown package $what" >&2; exit 2 ;;
esac
debian=$1 brew=$2 fedora=$3 arch=$4 suse=$5

say() {
    echo "$what is missing. Install it with: $1" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

if [ "$system" = Darwin ]; then
    [ "$brew" = - ] && say "brew install python@3.13"
    has brew || say "brew install $brew   (Homebrew: https://brew.sh)"
    echo "Installing $brew with Homebrew."
    HOMEBREW_NO_AUTO_UPDATE=1 brew install --quiet "$brew" || say "brew install $brew"
    exit 0
fi

if has apt-get; then
    command="sudo apt-get install $debian"
    if [ "$(id -u)" != 0 ] && ! { has sudo && sudo -n true 2>/dev/null; }; then
        say "$command"
    fi
    echo "Installing $debian with apt-get."
    install() {
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$debian" \
            >/dev/null 2>&1 </dev/null
    }
    # Images of the system come without package lists, and old lists name files that have gone.
    install || { as_root apt-get update -qq >/dev/null 2>&1 </dev/null && install; } || say "$command"
    exit 0
fi

if has dnf && [ "$fedora" != - ]; then say "sudo dnf install $fedora"; fi
if has pacman && [ "$arch" != - ]; then say "sudo pacman -S $arch"; fi
if has zypper && [ "$suse" != - ]; then say "sudo zypper install $suse"; fi
case "$what" in
    luacheck) say "luarocks install luacheck" ;;
    *) say "your system's package manager" ;;
esac
