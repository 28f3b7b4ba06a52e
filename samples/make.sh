#!/usr/bin/env bash
# Makes the sample videos, the test clips, the engine probe and the canary again.
# Needs flite, espeak-ng, ffmpeg and python3:  apt-get install flite espeak-ng ffmpeg
# What each sample says is read from words.json; nothing else is an input.
set -euo pipefail

samples=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
media=$samples/../tests/media
probe=$samples/../daemon/stt/probe.wav
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$media" "$(dirname "$probe")"

# bitexact and no metadata: the same tools make the same bytes.
encode() { ffmpeg -nostdin -v error -y "$@"; }
exact=(-map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact)
sound=(-c:a aac -b:a 48k -ac 1 -ar 48000)
# zerolatency: with a look-ahead, the sound would come before all of the picture in the file.
picture=(-c:v libx264 -tune zerolatency -crf 40 -pix_fmt yuv420p -threads 1)
pause=0.1  # seconds between two sentences
still() { printf 'color=c=%s:s=160x120:r=2' "$1"; }

# words FILE: what is spoken in that sample.
words() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]]["words"])' \
    "$samples/words.json" "$1"
}

# speak VOICE STRETCH WAV: says its standard input, sentence by sentence; a stretch below 1 is faster.
speak() {
  local voice=$1 stretch=$2 to=$3 sentence
  : >"$scratch/speech.raw"
  sed 's/\([.!?]\) /\1\n/g' | while IFS= read -r sentence; do
    flite -voice "$voice" --setf "duration_stretch=$stretch" -t "$sentence" -o "$scratch/sentence.wav"
    encode -i "$scratch/sentence.wav" -af "apad=pad_dur=$pause" -f s16le -ac 1 -ar 16000 - >>"$scratch/speech.raw"
  done
  encode -f s16le -ac 1 -ar 16000 -i "$scratch/speech.raw" "$to"
}

# film SOUND COLOUR MP4 [OPTION...]: the sound before a plain picture, with half a
# second of quiet at both ends, as a person leaves it who presses the button.
# The length is given: -shortest lets the endless picture run on for many seconds.
film() {
  local from=$1 colour=$2 to=$3 length
  shift 3
  length=$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$from" | awk '{print $1 + 1}')
  encode -i "$from" -f lavfi -i "$(still "$colour")" -map 1:v -map 0:a -af 'adelay=500,apad' \
    -t "$length" "${picture[@]}" "${sound[@]}" "${exact[@]}" "$@" "$to"
}

# sample FILE VOICE STRETCH COLOUR
sample() {
  words "$1" | speak "$2" "$3" "$scratch/speech.wav"
  film "$scratch/speech.wav" "$4" "$samples/$1" -movflags +faststart
}

# halve FROM TO: its first half, in bytes.
halve() { head -c "$(($(stat -c %s "$1") / 2))" "$1" >"$2"; }

# --- samples/ ---
sample s001_introduction.mp4 slt 1.0 steelblue
sample s002_about_me.mp4 rms 0.85 seagreen
sample s003_my_video.mp4 awb 1.0 sienna
sample s004_who_i_am.mp4 kal16 1.1 slategray
sample s005_final_take_2.mp4 slt 1.0 plum
sample s006_hello.mp4 rms 0.85 olive
encode -f lavfi -i "$(still dimgray)" -f lavfi -i anullsrc=r=48000:cl=mono -t 8 \
  "${picture[@]}" "${sound[@]}" "${exact[@]}" -movflags +faststart "$samples/s007_silent.mp4"

# --- tests/media/ ---
encode -f lavfi -i "$(still teal)" -t 5 \
  "${picture[@]}" "${exact[@]}" -movflags +faststart "$media/no_audio.mp4"

# The index of an mp4 (moov) stands at its end unless it is moved: without it, nothing can be read.
words s002_about_me.mp4 | speak rms 0.85 "$scratch/speech.wav"
film "$scratch/speech.wav" teal "$scratch/whole.mp4"
halve "$scratch/whole.mp4" "$media/damaged.mp4"

# With its index in front, half of the file can be read, and promises the whole duration.
halve "$samples/s001_introduction.mp4" "$media/cut_short.mp4"

# foreign NAME VOICE TEXT: an introduction in another language than the expected one.
foreign() {
  espeak-ng -v "$2" -s 150 -w "$scratch/$1.wav" "$3"
  film "$scratch/$1.wav" teal "$media/$1.mp4" -movflags +faststart
}

foreign german de \
  'Guten Tag, mein Name ist Jonas Weber, und ich bin zwanzig Jahre alt. In meiner Freizeit spiele ich gerne Fußball und lese Bücher. Nach dem Studium möchte ich als Lehrer an einer Schule arbeiten.'
foreign spanish es \
  'Hola, me llamo Lucía Fernández y tengo veintiún años. En mi tiempo libre me gusta jugar al fútbol y leer novelas. Después de la universidad quiero trabajar como profesora en una escuela.'
foreign french fr \
  "Bonjour, je m'appelle Camille Dubois et j'ai vingt et un ans. Pendant mon temps libre, j'aime jouer au football et lire des romans. Après mes études, je voudrais travailler comme professeur dans une école."
foreign hindi hi \
  'नमस्ते, मेरा नाम अमित शर्मा है और मैं इक्कीस साल का हूँ। खाली समय में मुझे क्रिकेट खेलना और किताबें पढ़ना पसंद है। पढ़ाई के बाद मैं एक स्कूल में शिक्षक बनना चाहता हूँ।'
foreign dutch nl \
  'Hallo, mijn naam is Pieter de Vries en ik ben eenentwintig jaar oud. In mijn vrije tijd voetbal ik graag en lees ik boeken. Na mijn studie wil ik als leraar op een school werken.'

encode -f lavfi -i anoisesrc=color=pink:amplitude=0.3:seed=1:r=48000:d=8 "$scratch/noise.wav"
film "$scratch/noise.wav" teal "$media/noise.mp4" -movflags +faststart

echo 'Hello, my name is Alex. This is a test of the microphone.' | speak slt 1.0 "$scratch/speech.wav"
encode -i "$scratch/speech.wav" -af 'adelay=500,apad' -t 5 \
  -c:a pcm_s16le -ac 1 -ar 16000 "${exact[@]}" "$media/probe.wav"
cp "$media/probe.wav" "$probe"

# The canary's words are those of daemon/core/canary/question.py.
flite -voice rms -o "$scratch/speech.wav" -t 'Hello, my name is Clara Hill. I am twenty one years old, and I study geography. In my free time I play chess and I go swimming. Last summer I worked in a library for two months. I am patient, and I am good at explaining things. After my degree I want to become a teacher.'
encode -i "$scratch/speech.wav" -c:a libopus -b:a 24k -ac 1 -ar 16000 "${exact[@]}" "$samples/../daemon/supervisor/canary.ogg"
