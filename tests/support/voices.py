"""Synthetic voices in bad conditions: flite and espeak-ng speak, and numpy spoils the sound."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
Audio = NDArray[np.float32]
"""Samples at 16 kHz, of -1 to 1."""

MISSING = [program for program in ("flite", "espeak-ng") if shutil.which(program) is None]


def speak(voice: str, text: str, wav: Path) -> Path:
    """Let `flite:NAME` or `espeak:NAME` speak into a file, at the voice's own rate."""
    program, name = voice.split(":")
    if program == "flite":
        command = ["flite", "-voice", name, "-t", text, "-o", str(wav)]
    else:
        command = ["espeak-ng", "-v", name, "-s", "145", "-w", str(wav), text]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return wav


def spoiled(sound: Audio, condition: str, seed: int) -> Audio:
    """The sound in a condition: `clean`, `noise COLOUR SNR`, `clip DB`, `level DB`, `phone`, `echo S`."""
    kind, *values = condition.split()
    sound = np.asarray(sound / np.abs(sound).max(), dtype=np.float32)
    match kind:
        case "noise":
            made = noise(values[0], len(sound), seed)
            gain = np.sqrt(np.mean(sound**2) / np.mean(made**2)) * 10 ** (-float(values[1]) / 20)
            sound = sound + made * gain
            sound = sound / np.abs(sound).max()
        case "clip":
            sound = np.clip(sound * 10 ** (float(values[0]) / 20), -1, 1)
        case "level":
            sound = sound * 10 ** (float(values[0]) / 20)
        case "phone":
            spectrum = np.fft.rfft(sound)
            pitch = np.fft.rfftfreq(len(sound), 1 / RATE)
            spectrum[(pitch < 300) | (pitch > 3400)] = 0
            sound = np.fft.irfft(spectrum, len(sound)).astype(np.float32)
        case "echo":
            late = np.zeros(len(sound), dtype=np.float32)
            for number in range(1, 7):
                shift = round(float(values[0]) * RATE * number)
                late[shift:] += sound[: len(sound) - shift] * 0.7**number
            sound = sound + late
            sound = sound / np.abs(sound).max()
    return sound.astype(np.float32)


def noise(colour: str, count: int, seed: int) -> Audio:
    """White or pink noise."""
    white = np.random.default_rng(seed).standard_normal(count).astype(np.float32)
    if colour != "pink":
        return white
    spectrum = np.fft.rfft(white)
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), count).astype(np.float32)


def write_pcm(sound: Audio, pcm: Path) -> Path:
    """Write the sound as 16 kHz mono s16le."""
    np.clip(np.round(sound * 32767), -32768, 32767).astype("<i2").tofile(pcm)
    return pcm
