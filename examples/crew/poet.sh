read -r theme
printf 'Oh %s, so far away,\nI think of you both night and day.\n' "$theme"
