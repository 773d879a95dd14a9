"""Yolo's tables: programs that no agent runs, arguments that make a program a disaster."""

from __future__ import annotations

import re
from collections.abc import Sequence

from multiagent_bridge.guard.commands.own import PROGRAMS as OWN
from multiagent_bridge.guard.commands.verdict import Denied
from multiagent_bridge.guard.commands.words import Text

_NEVER: dict[str, str] = {
    name: rule
    for rule, names in {
        "yolo.privilege": "sudo sudoedit su doas pkexec runuser chroot unshare nsenter setcap capsh setpriv insmod "
        "modprobe rmmod depmod kmod mount umount fusermount"
        " setenforce visudo vipw vigr passwd chpasswd gpasswd usermod useradd userdel groupadd groupmod groupdel "
        "adduser deluser addgroup delgroup newgrp sg chsh chfn login"
        " machinectl gosu su-exec pivot_root systemd-run systemd-nspawn polkit-agent-helper-1 dbus-send busctl "
        "gdbus sudoreplay run0 newuidmap newgidmap setuidgid",
        "yolo.system": "shutdown reboot halt poweroff telinit init killall5 swapoff swapon ufw iptables "
        "ip6tables nft firewall-cmd ebtables hwclock kexec grub-install update-grub"
        " update-rc.d chkconfig launchctl nvram csrutil spctl dscl tmutil bootctl efibootmgr hostnamectl "
        "localectl loginctl mkinitrd update-initramfs dracut adjtimex ntpdate",
        "yolo.device": "fdisk sfdisk cfdisk sgdisk gdisk cgdisk parted wipefs blkdiscard hdparm sdparm badblocks "
        "mkswap cryptsetup lvremove pvremove vgremove lvcreate vgcreate pvcreate mdadm losetup "
        "zpool zfs"
        " flashrom debugfs e2fsck fsck resize2fs tune2fs diskutil newfs format dmsetup nvme sg_format mke2fs "
        "partprobe partx fstrim dd_rescue",
        "yolo.persistence": "crontab at batch atrm",
        "yolo.self-approval": "xdotool ydotool wtype xte expect autoexpect dtach reptyr gdbserver osascript",
        "yolo.bomb": "stress stress-ng forkbomb",
        "yolo.dynamic": "eval",
    }.items()
    for name in names.split()
}
_READS: dict[str, frozenset[str]] = {
    "crontab": frozenset({"-l"}),
    "mount": frozenset({""}),
    "fdisk": frozenset({"-l"}),
    "zpool": frozenset(["list", "status"]),
    "zfs": frozenset({"list"}),
}
"""Of a program that is refused, the first argument with which it only shows."""
_LOOKS = frozenset(
    [
        "status",
        "is-active",
        "is-enabled",
        "is-failed",
        "list-units",
        "list-unit-files",
        "list-timers",
        "show",
        "cat",
        "help",
        "--version",
        "--help",
        "-h",
        "-V",
    ]
)
_CONFIGURED = re.compile(
    r"(?:alias|filter|diff|merge|difftool|mergetool|url|include|includeif|credential|pager|gpg|protocol|remote|submodule|uploadpack|init|http|trailer|sequence|man|browser|interactive|sendemail)\..*"
    r"|core\.(?:hookspath|fsmonitor|sshcommand|pager|editor|attributesfile|excludesfile|gitproxy|askpass|worktree)",
    re.IGNORECASE,
)
_CONFIGURED_HARMLESS = re.compile(
    r"init\.defaultbranch|remote\.[\w-]+\.(?:fetch|prune)|diff\.(?:algorithm|renames|colormoved)|merge\.(?:conflictstyle|ff)|pager\.\w+=false|http\.postbuffer",
    re.IGNORECASE,
)
_LOADERS = frozenset(
    [
        "LD_PRELOAD",
        "LD_AUDIT",
        "DYLD_INSERT_LIBRARIES",
        "BASH_ENV",
        "PROMPT_COMMAND",
        "GCONV_PATH",
        "YOLO_MODE",
        "HISTFILE",
        "HISTSIZE",
    ]
)
_GUARD_STATE = re.compile(
    r"yolo_guard|\.yolo_tokens|yolo_audit|multiagent[-_]bridge/|(?:share|config|state|lib)/(?:bridge|mab)\b|/\.(?:bridge|mab)\b|(?:^|/)bridge\.db\b|master\.key\b|(?:^|/)mab\.sock\b|MAB_HOME"
)
_CODE_BANS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "yolo.reverse-shell",
        re.compile(
            r"(?is)socket.*(?:dup2|subprocess|pty\.spawn|child_process|exec)|child_process.*socket|/dev/tcp/|fsockopen|TCPSocket.*exec|exec.*TCPSocket"
        ),
    ),
    (
        "yolo.bomb",
        re.compile(r"(?is)fork\s+while|(?:while|loop|for)\b.{0,60}\bfork\b|\bfork\b.{0,30}\b(?:while|for)\b"),
    ),
    (
        "yolo.removal",
        re.compile(
            r"(?i)\brm\s+(?:-[\w-]+\s+)*-\w*r\w*\s+(?:-[\w-]+\s+)*(?:/|~|\$HOME)(?:[\s)'\";*]|$)|rmtree\(\s*['\"](?:/|~|/home|/etc|/usr|/var)['\"]"
        ),
    ),
    (
        "yolo.privilege",
        re.compile(
            r"(?:system|popen|exec\w*|spawn\w*|run|call)\s*\(?\s*[\[(]?\s*(?:['\"]|q[qw]?[({\[])\s*(?:sudo|su|doas|pkexec)\b"
        ),
    ),
    ("yolo.device", re.compile(r"/dev/(?:sd[a-z]|nvme|vd[a-z]|hd[a-z]|mmcblk|mem\b|kmem|disk)")),
    (
        "yolo.dynamic",
        re.compile(
            r"(?is)(?:exec|eval)\s*\(.{0,80}(?:urlopen|requests\.|b64decode|unhexlify|fetch\(|file_get_contents\(\s*['\"]http)|IEX\b.*Download"
        ),
    ),
    (
        "guard.self",
        re.compile(r"(?is)yolo_guard|multiagent_bridge|\.yolo_|\b(?:bridge|mab)\b.{0,40}approve|I UNDERSTAND"),
    ),
)


def refuse_assignment(name: str) -> None:
    if name in _LOADERS or name.startswith(("MAB_", "GIT_CONFIG_", "BASH_FUNC_")):
        raise Denied("yolo.environment", f"the variable {name} puts other code into what runs, or opens the guard")


def refuse_state(text: str) -> None:
    """Raise Denied when a word names the guard's own files."""
    if _GUARD_STATE.search(text):
        raise Denied("guard.self", f"{text} belongs to the guard")


def refuse_code(code: str) -> None:
    """Raise Denied when the text of a one-liner shows a disaster. It shows little: the sandbox stops the rest."""
    for rule, pattern in _CODE_BANS:
        if pattern.search(code):
            raise Denied(rule, "the one-liner shows what no agent runs")


def refuse_program(name: str, texts: Sequence[str], words: Sequence[Text]) -> None:
    """Raise Denied when this program, or this program with these arguments, is refused whatever the files."""
    first = texts[1] if len(texts) > 1 else ""
    if name in OWN or (
        re.fullmatch(r"(?:python[0-9.]*|uv|uvx|pipx)", name)
        and any(t in OWN or t == "multiagent_bridge" for t in texts[1:4])
    ):
        raise Denied("guard.self", f"{name} acts on the guard itself")
    if name in _NEVER and first not in _READS.get(name, frozenset()):
        raise Denied(_NEVER[name], f"{name} is not run by agents")
    if name.startswith(("mkfs", "newfs", "fsck.")):
        raise Denied("yolo.device", f"{name} is not run by agents")
    if judge := _ARGUED.get(name):
        judge(name, list(texts[1:]))
    if name in ("source", ".") and any(word.process or word.substituted for word in words[1:]):
        raise Denied("yolo.pipe-to-shell", "what is sourced is made by another command")


def _argue(rule: str, what: str) -> Denied:
    return Denied(rule, f"{what} is not run by agents")


def _systemctl(name: str, rest: list[str]) -> None:
    verbs = [word for word in rest if not word.startswith("-")]
    if name == "service":
        verbs = verbs[1:]
    if verbs and verbs[0] not in _LOOKS:
        raise _argue("yolo.system", f"{name} {verbs[0]}")


def _kill(name: str, rest: list[str]) -> None:
    if name == "kill":
        targets = [
            word for place, word in enumerate(rest) if not (word.startswith("-") and place == 0) and word != "--"
        ]
        if rest[:1] in (["-s"], ["-n"]):
            targets = rest[2:]
        if any(word in ("-1", "1", "0") for word in targets) or rest in (["-1"], ["--", "-1"]):
            raise _argue("yolo.system", "kill of everything or of the first process")
        return
    patterns = [word for word in rest if not word.startswith("-")]
    if any(re.search(r"bridge|\bmab\b|yolo|multiagent|claude|codex|gemini", word, re.IGNORECASE) for word in patterns):
        raise Denied("guard.self", f"{name} ends the guard or an agent")
    if any(word in (".", ".*", "", "sshd", "systemd", "init", "dockerd") for word in patterns) or any(
        word in ("-u", "-U", "--user", "--uid", "-g", "-v", "--inverse") for word in rest
    ):
        raise _argue("yolo.system", f"{name} of everything")


_MACHINE = r"(?:etc|root|home|var|usr|proc|sys|dev|boot|run)"
_GIVEN_MACHINE = re.compile(
    r"--privileged|--(?:pid|net|network|ipc|uts|userns|cgroupns)[= ]host|--cap-add|--device\b|unconfined"
    r"|docker\.sock|--volumes-from"
    rf"|(?:-v|--volume)[= ]?/(?:[:*]|{_MACHINE}[/:])"
    rf"|(?:source|src)=/(?:,|$|{_MACHINE}\b)"
    r"|(?:-v|--volume)[= ]?(?:~|\$HOME)"
)


def _container(name: str, rest: list[str]) -> None:
    line = " ".join(rest)
    if _GIVEN_MACHINE.search(line):
        raise Denied("yolo.privilege", "the container is given the machine")
    if re.search(r"\bsystem prune\b.*(?:-a|--all|--volumes)|\bswarm\b|\bplugin install\b", line):
        raise _argue("yolo.system", f"{name} {line}")


def _packages(name: str, rest: list[str]) -> None:
    if any(
        word
        in (
            "remove",
            "purge",
            "autoremove",
            "erase",
            "--purge",
            "-r",
            "-P",
            "-e",
            "uninstall",
            "dist-upgrade",
            "full-upgrade",
            "removepkg",
        )
        or word.startswith("-R")
        for word in rest
    ):
        raise _argue("yolo.system", f"{name} that removes")


def _clock(name: str, rest: list[str]) -> None:
    if name == "date" and any(word in ("-s", "--set") or word.startswith(("--set=", "-s")) for word in rest):
        raise _argue("yolo.system", "setting the clock")
    if name == "date" and any(re.fullmatch(r"[0-9]{8,12}(?:\.[0-9]{2})?", word) for word in rest):
        raise _argue("yolo.system", "setting the clock")
    if name == "timedatectl" and rest and rest[0].startswith("set"):
        raise _argue("yolo.system", "setting the clock")


def _fills(name: str, rest: list[str]) -> None:
    line = " ".join(rest)
    if name == "dd":
        if re.search(r"if=/dev/(?:zero|u?random)\b", line) and "count=" not in line:
            raise Denied("yolo.bomb", "dd without count fills the disk")
    elif re.search(r"[0-9](?:T|TB|TiB|P|PB|E|EB)\b|[0-9]{3,}(?:G|GB|GiB)\b|[0-9]{13,}", line):
        raise Denied("yolo.bomb", f"{name} makes a file that fills the disk")


def _modes(name: str, rest: list[str]) -> None:
    if name == "chmod" and any(
        re.fullmatch(r"[0-7]?[4-7][0-7]{3}|[ugoa]*[+=][rwxXt]*s[rwxXt]*", word)
        and not re.fullmatch(r"[01][0-7]{3}", word)
        for word in rest
    ):
        raise Denied("yolo.privilege", "a set-user-id bit")


def _settings(name: str, rest: list[str]) -> None:
    if name == "sysctl" and any(word in ("-w", "-p", "--system", "--write", "--load") or "=" in word for word in rest):
        raise _argue("yolo.privilege", "changing the kernel's settings")
    if name == "history" and any(word.startswith(("-c", "-d", "-w")) for word in rest):
        raise _argue("yolo.system", "erasing the history")
    if name in ("ip", "route", "ifconfig", "nmcli", "networksetup", "tc") and any(
        word in ("add", "del", "delete", "set", "flush", "replace", "exec", "up", "down", "change")
        or word.startswith("-set")
        for word in rest
    ):
        raise _argue("yolo.system", "changing the network")
    if name in ("dmesg", "journalctl") and any(
        (word.startswith(("--vacuum", "--rotate", "-C", "--clear", "-c")) and not word.startswith("--c"))
        or word == "--clear"
        for word in rest
    ):
        raise _argue("yolo.system", "erasing logs")
    if name in ("enable", "hash") and any(word.startswith(("-f", "-p")) for word in rest):
        raise Denied("yolo.hidden", f"{name} puts other code behind a name")


def _terminals(name: str, rest: list[str]) -> None:
    if (
        name == "tmux"
        and any(
            word in ("send-keys", "send", "paste-buffer", "pipe-pane", "run-shell", "set-buffer", "if-shell")
            for word in rest
        )
    ) or (name == "screen" and "-X" in rest):
        raise Denied("yolo.self-approval", f"{name} types into another terminal")


_CREDENTIALS = re.compile(
    r"auth token|export-secret|print-(?:access|identity)-token|export-credentials"
    r"|find-(?:generic|internet)-password|dump-keychain"
)


def _keys(name: str, rest: list[str]) -> None:
    if _CREDENTIALS.search(" ".join(rest)):
        raise Denied("yolo.credentials", f"{name} shows credentials")


def _lasting(name: str, rest: list[str]) -> None:
    words = [word for word in rest if not word.startswith("-")]
    if words[:1] in (["config"], ["c"]) and words[1:2] in (["set"], ["edit"]):
        raise Denied("yolo.persistence", f"{name} config changes the person's account")
    if words[:1] == ["set"] and name == "npm":
        raise Denied("yolo.persistence", "npm set changes the person's account")


def _forgets(name: str, rest: list[str]) -> None:
    if any(word.startswith("HIST") for word in rest):
        raise Denied("yolo.hidden", "the history is switched off")


def _exports(name: str, rest: list[str]) -> None:
    for word in rest:
        if "=" in word:
            refuse_assignment(word.partition("=")[0])


_ARGUED = {
    **dict.fromkeys(("tmux", "screen"), _terminals),
    **dict.fromkeys(("gh", "gpg", "gpg2", "gcloud", "aws", "security", "az"), _keys),
    **dict.fromkeys(("npm", "pip", "pip3"), _lasting),
    "unset": _forgets,
    **dict.fromkeys(("systemctl", "service", "rc-service", "initctl"), _systemctl),
    **dict.fromkeys(("kill", "pkill", "killall", "skill"), _kill),
    **dict.fromkeys(("docker", "podman", "nerdctl", "docker-compose", "lxc", "ctr"), _container),
    **dict.fromkeys(
        ("apt", "apt-get", "aptitude", "dpkg", "yum", "dnf", "pacman", "zypper", "rpm", "snap", "apk", "flatpak"),
        _packages,
    ),
    **dict.fromkeys(("date", "timedatectl"), _clock),
    **dict.fromkeys(("dd", "fallocate", "truncate", "head"), _fills),
    "chmod": _modes,
    **dict.fromkeys(
        (
            "sysctl",
            "history",
            "ip",
            "route",
            "ifconfig",
            "nmcli",
            "networksetup",
            "tc",
            "dmesg",
            "journalctl",
            "enable",
            "hash",
        ),
        _settings,
    ),
    **dict.fromkeys(("export", "declare", "typeset", "readonly", "local", "env"), _exports),
}


def refuse_git(texts: Sequence[str]) -> None:
    """Raise Denied when git is configured to run something later, for every repository or this one."""
    rest = list(texts[1:])
    if rest[:2] == ["credential", "fill"]:
        raise Denied("yolo.credentials", "git credential shows credentials")
    for place, text in enumerate(rest):
        if (
            text in ("-c", "--config-env")
            and place + 1 < len(rest)
            and _CONFIGURED.match(rest[place + 1])
            and not _CONFIGURED_HARMLESS.match(rest[place + 1])
        ):
            raise Denied("yolo.persistence", f"git is told to run something: {rest[place + 1]}")
    if "config" not in rest[:4]:
        return
    words = [
        text for text in rest[rest.index("config") + 1 :] if not text.startswith("-") and text not in ("set", "add")
    ]
    reads = any(
        text
        in ("--get", "--get-all", "--list", "-l", "--unset", "--get-regexp", "--show-origin", "get", "list", "unset")
        for text in rest
    )
    if not reads and len(words) > 1 and _CONFIGURED.match(words[0]) and not _CONFIGURED_HARMLESS.match(words[0]):
        if words[0].lower().startswith("alias.") and not words[1].startswith("!"):
            return
        raise Denied("yolo.persistence", f"git would run {words[1]} by itself later")
    if "-e" in rest or "--edit" in rest:
        raise Denied("yolo.persistence", "git's configuration is edited")
