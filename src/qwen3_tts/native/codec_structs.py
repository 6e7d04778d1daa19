"""The structures of codec.h and conv.h, field by field."""

from ctypes import POINTER, Structure, c_float, c_int32, c_size_t, c_void_p

UNITS, STAGES = 3, 8  # of residual units in a wave stage; of stages at most, of either kind


class Conv(Structure):
    _fields_ = (
        ("weight", c_void_p),
        ("bias", c_void_p),
        ("frequency", c_void_p),
        ("magnitude", c_void_p),
        ("inputs", c_int32),
        ("outputs", c_int32),
        ("taps", c_int32),
        ("dilation", c_int32),
    )


class CodecBlock(Structure):
    _fields_ = (("qkv", Conv), ("out", Conv), ("gate_up", Conv), ("down", Conv))


class LatentStage(Structure):
    _fields_ = (
        ("up", Conv),
        ("mix", c_void_p),
        ("bias", c_void_p),
        ("widen", Conv),
        ("narrow", Conv),
        ("rate", c_int32),
        ("channels", c_int32),
    )


class WaveStage(Structure):
    _fields_ = (
        ("up", Conv),
        ("wide", Conv * UNITS),
        ("point", Conv * UNITS),
        ("rate", c_int32),
        ("channels", c_int32),
    )


class CodecModel(Structure):
    _fields_ = (
        ("entries", c_void_p),
        ("blocks", POINTER(CodecBlock)),
        ("latent", POINTER(LatentStage)),
        ("wave", POINTER(WaveStage)),
        ("frequencies", c_void_p),
        ("out", c_void_p),
        ("front", Conv),
        ("wave_in", Conv),
        ("codebooks", c_int32),
        ("num_entries", c_int32),
        ("entry", c_int32),
        ("num_blocks", c_int32),
        ("width", c_int32),
        ("heads", c_int32),
        ("head", c_int32),
        ("head_padded", c_int32),
        ("window", c_int32),
        ("latent_stages", c_int32),
        ("wave_stages", c_int32),
        ("eps", c_float),
        ("out_bias", c_float),
    )


class CodecCall(Structure):
    _fields_ = (
        ("codes", c_void_p),
        ("tails", POINTER(c_void_p)),
        ("keys", c_void_p),
        ("values", c_void_p),
        ("layer", c_size_t),
        ("pos", c_void_p),
        ("wave", c_void_p),
        ("rows", c_int32),
        ("frames", c_int32),
    )
