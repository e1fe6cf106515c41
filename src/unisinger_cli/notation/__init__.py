"""Songs as other programs write them: plans as JSON, MIDI, MusicXML, LRC and SRT.

What is read here was written by anybody: every reader raises InputError, in one line, for whatever it cannot take.
"""
