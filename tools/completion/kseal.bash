# SPDX-License-Identifier: GPL-2.0
#
# Completion of kseal in bash: /usr/share/bash-completion/completions/kseal. What there
# is to complete, kseal itself says: commands and options of the one that is installed.

_kseal_commands() {
	kseal --help 2>/dev/null | sed -n 's/^  \([a-z]\{3,\}\)  *[a-z].*/\1/p'
}

# The long options of a command, those that want a value with "="
_kseal_options() {
	kseal help "$1" 2>/dev/null |
		sed -n 's/^  \(-., \|    \)--\([a-z-]*\)\(=\{0,1\}\).*/--\2\3/p'
}

_kseal_profiles() {
	sed -n 's/^[[:space:]]*\(profile\|client\)[[:space:]]*"\([^"]*\)".*/\2/p' \
		/etc/kseal/kseald.conf 2>/dev/null | sort -u
}

_kseal() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]} i

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_kseal_commands) --help --version" -- "$cur")
		return
	fi
	# "=" is a word of its own for bash
	[ "$prev" = = ] && prev=${COMP_WORDS[COMP_CWORD - 2]}
	[ "$cur" = = ] && cur=
	case $command in
	run)
		# From COMMAND on it is the completion of COMMAND.
		for ((i = 2; i < COMP_CWORD; i++)); do
			case ${COMP_WORDS[i]} in
			--) break ;;
			-p | -P | -C) i=$((i + 1)) ;;
			--profile | --port | --connect | --plain)
				[ "${COMP_WORDS[i + 1]}" = = ] && i=$((i + 1))
				i=$((i + 1))
				;;
			= | : | -*) ;;
			*)
				case ${COMP_WORDS[i - 1]} in = | :) continue ;; esac
				break
				;;
			esac
		done
		if [ "$i" -lt "$COMP_CWORD" ]; then
			[ "${COMP_WORDS[i]}" = -- ] && i=$((i + 1))
			if declare -F _command_offset >/dev/null; then
				_command_offset "$i"
			else
				mapfile -t COMPREPLY < <(compgen -c -f -- "$cur")
			fi
			return
		fi
		case $prev in
		-p | --profile)
			mapfile -t COMPREPLY < <(compgen -W "$(_kseal_profiles)" -- "$cur")
			return
			;;
		-P | --port | -C | --connect | --plain) return ;;
		esac
		[ "${cur:0:1}" = - ] || mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		;;
	attach)
		case $COMP_CWORD in
		2) mapfile -t COMPREPLY < <(compgen -W "$(ps -eo pid= 2>/dev/null)" -- "$cur") ;;
		4) mapfile -t COMPREPLY < <(compgen -W "$(_kseal_profiles)" -- "$cur") ;;
		esac
		;;
	doctor)
		case $prev in -c | --config)
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
			;;
		esac
		;;
	help)
		mapfile -t COMPREPLY < <(compgen -W "$(_kseal_commands)" -- "$cur")
		;;
	esac
	[ "${cur:0:1}" = - ] || return
	mapfile -t COMPREPLY < <(compgen -W "$(_kseal_options "$command")" -- "$cur")
	case ${COMPREPLY[*]} in *=) compopt -o nospace 2>/dev/null ;; esac
}

complete -F _kseal kseal
