# SPDX-License-Identifier: Apache-2.0
# bash completion for srctl(1)
_srctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} ids
	case "${COMP_WORDS[*]:1:COMP_CWORD-1}" in
	addon) mapfile -t COMPREPLY < <(compgen -W "list status enable disable" -- "$cur") ;;
	"addon status" | "addon enable" | "addon disable")
		ids=$(find /usr/lib/serviceradar/addons -mindepth 1 -maxdepth 1 -printf '%f ' 2>/dev/null)
		mapfile -t COMPREPLY < <(compgen -W "$ids" -- "$cur") ;;
	*) mapfile -t COMPREPLY < <(compgen -W "addon flows doctor version help --json --root --no-color --follow --config --no-wait --help --version" -- "$cur") ;;
	esac
}
complete -F _srctl srctl
