"""What listen.py measures speech with: a recogniser, a teacher's voice, spectra, pictures."""
