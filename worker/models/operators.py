"""The operators that a model's own code may call: arithmetic on tensors, sizes, lists and strings.

None of them reaches files, the network, Python, or memory outside its tensors. All other operators are refused, since
torch has thousands of them and adds more with each release.
"""

_EXPORTED = """
    abs abs_ acos acosh adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
    adaptive_max_pool2d adaptive_max_pool3d add.Scalar add.Tensor add_.Scalar add_.Tensor addbmm addcdiv addcdiv_
    addcmul addcmul_ addmm addmm.dtype addmm_ addmv affine_grid_generator alias all all.dim all.dims alpha_dropout
    alpha_dropout_ amax amin aminmax angle any any.dim any.dims arange arange.start arange.start_step argmax argmin
    argsort argsort.stable asin asinh atan atan2 atanh atleast_1d.Sequence atleast_1d atleast_2d.Sequence atleast_2d
    atleast_3d.Sequence atleast_3d avg_pool1d avg_pool2d avg_pool3d baddbmm baddbmm.dtype baddbmm_ batch_norm
    bilinear bitwise_and.Scalar bitwise_and.Scalar_Tensor bitwise_and.Tensor bitwise_not bitwise_or.Scalar
    bitwise_or.Scalar_Tensor bitwise_or.Tensor bitwise_xor.Scalar bitwise_xor.Scalar_Tensor bitwise_xor.Tensor
    block_diag bmm bmm.dtype broadcast_tensors broadcast_to bucketize.Scalar bucketize.Tensor cartesian_prod cat
    cdist ceil ceil_ celu celu_ chain_matmul channel_shuffle chunk clamp.Tensor clamp clamp_.Tensor clamp_
    clamp_max.Tensor clamp_max clamp_max_.Tensor clamp_max_ clamp_min.Tensor clamp_min clamp_min_.Tensor clamp_min_
    clip.Tensor clip clip_.Tensor clip_ clone col2im column_stack combinations complex concat concatenate conj
    constant_pad_nd contiguous conv1d conv1d.padding conv2d conv2d.padding conv3d conv3d.padding conv_transpose1d
    conv_transpose2d.input conv_transpose3d.input convolution copy copy_.Tensor copy_ copysign.Scalar
    copysign.Tensor cos cos_ cosh cosine_similarity count_nonzero count_nonzero.dim_IntList cross cummax cummin
    cumprod cumsum cumsum_ deg2rad detach detach_ diag diag_embed diagonal diff dist div.Scalar div.Scalar_mode
    div.Tensor div.Tensor_mode div_.Scalar div_.Scalar_mode div_.Tensor div_.Tensor_mode divide.Scalar
    divide.Scalar_mode divide.Tensor divide.Tensor_mode divide_.Scalar divide_.Scalar_mode divide_.Tensor
    divide_.Tensor_mode dot dropout dropout_ dsplit.array dsplit.int dstack einsum elu elu_ embedding eq.Scalar
    eq.Tensor eq_.Scalar eq_.Tensor erf erf_ erfc erfinv exp exp2 exp_ expand expand_as expm1 expm1_ eye eye.m
    feature_alpha_dropout feature_dropout fft_fft fft_fft2 fft_fftfreq fft_fftn fft_fftshift fft_hfft fft_ifft
    fft_ifft2 fft_ifftn fft_ifftshift fft_ihfft fft_irfft fft_irfft2 fft_irfftn fft_rfft fft_rfft2 fft_rfftfreq
    fft_rfftn fill.Scalar fill.Tensor fill_.Scalar fill_.Tensor flatten.using_ints flip fliplr flipud
    float_power.Scalar float_power.Tensor_Scalar float_power.Tensor_Tensor floor floor_ floor_divide.Scalar
    floor_divide floor_divide_.Scalar floor_divide_.Tensor fmax fmin fmod.Scalar fmod.Tensor frac full full_like
    gather ge.Scalar ge.Tensor ge_.Scalar ge_.Tensor gelu gelu_ ger glu greater.Scalar greater.Tensor
    greater_equal.Scalar greater_equal.Tensor grid_sampler grid_sampler_2d grid_sampler_3d group_norm gt.Scalar
    gt.Tensor gt_.Scalar gt_.Tensor hamming_window hamming_window.periodic hamming_window.periodic_alpha
    hamming_window.periodic_alpha_beta hann_window hann_window.periodic hardshrink hardsigmoid hardsigmoid_
    hardswish hardswish_ hardtanh hardtanh_ heaviside hsplit.array hsplit.int hstack hypot im2col imag index.Tensor
    index_add index_add_ index_copy index_copy_ index_fill.int_Scalar index_fill.int_Tensor index_fill_.int_Scalar
    index_fill_.int_Tensor index_put index_put_ index_select inner instance_norm inverse is_complex
    is_floating_point is_same_size isclose isfinite isinf isnan item kron kthvalue layer_norm le.Scalar le.Tensor
    le_.Scalar le_.Tensor leaky_relu leaky_relu_ lerp.Scalar lerp.Tensor lerp_.Scalar lerp_.Tensor less.Scalar
    less.Tensor less_equal.Scalar less_equal.Tensor lgamma lift_fresh_copy linalg_cross linalg_det linalg_inv
    linalg_matmul linalg_matrix_norm linalg_matrix_norm.str_ord linalg_norm linalg_norm.ord_str linalg_vector_norm
    linear linspace.Scalar_Tensor linspace.Tensor_Scalar linspace.Tensor_Tensor linspace log log10 log1p log1p_ log2
    log2_ log_ log_sigmoid log_softmax.int logaddexp logical_and logical_and_ logical_not logical_not_ logical_or
    logical_or_ logical_xor logical_xor_ logit logspace.Scalar_Tensor logspace.Tensor_Scalar logspace.Tensor_Tensor
    logspace logsumexp lt.Scalar lt.Tensor lt_.Scalar lt_.Tensor masked_fill.Scalar masked_fill.Tensor
    masked_fill_.Scalar masked_fill_.Tensor masked_scatter masked_scatter_ masked_select matmul max max.dim
    max.other max_pool1d max_pool2d max_pool2d_with_indices max_pool3d maximum mean mean.dim median median.dim
    meshgrid meshgrid.indexing min min.dim min.other minimum mish mish_ mm mm.dtype moveaxis.int moveaxis.intlist
    movedim.int movedim.intlist mul.Scalar mul.Tensor mul_.Scalar mul_.Tensor multiply.Scalar multiply.Tensor
    multiply_.Scalar multiply_.Tensor mv nan_to_num nan_to_num_ nanmean nansum narrow.Tensor narrow
    native_group_norm native_layer_norm ne.Scalar ne.Tensor ne_.Scalar ne_.Tensor neg neg_ negative new_full
    new_ones new_zeros nonzero norm.Scalar norm.ScalarOpt_dim norm.ScalarOpt_dim_dtype norm.ScalarOpt_dtype
    not_equal.Scalar not_equal.Tensor numel one_hot ones ones_like outer pad pairwise_distance permute pixel_shuffle
    pixel_unshuffle polar pow.Scalar pow.Tensor_Scalar pow.Tensor_Tensor pow_.Scalar pow_.Tensor prelu prod
    prod.dim_int quantile quantile.scalar rad2deg ravel real reciprocal reciprocal_ reflection_pad1d
    reflection_pad2d reflection_pad3d relu relu6 relu6_ relu_ remainder.Scalar remainder.Scalar_Tensor
    remainder.Tensor remainder_.Scalar remainder_.Tensor repeat repeat_interleave.self_int replication_pad1d
    replication_pad2d replication_pad3d reshape reshape_as rms_norm roll rot90 round.decimals round round_.decimals
    round_ rsqrt rsqrt_ rsub.Scalar rsub.Tensor scalar_tensor scaled_dot_product_attention scatter.reduce
    scatter.src scatter.value scatter.value_reduce scatter_.reduce scatter_.src scatter_.value scatter_.value_reduce
    scatter_add scatter_add_ scatter_reduce.two searchsorted.Scalar searchsorted.Tensor select.int select_scatter
    selu selu_ sgn sigmoid sigmoid_ sign sign_ signbit silu silu_ sin sin_ sinc sinh size size.int slice.Tensor
    slice_scatter softmax.int softplus softshrink sort.Tensor sort sort.stable split.Tensor split split.sizes
    split_with_sizes sqrt sqrt_ square square_ squeeze squeeze.dim squeeze.dims squeeze_ squeeze_.dim squeeze_.dims
    stack std.correction std std.dim std_mean.correction std_mean std_mean.dim sub.Scalar sub.Tensor sub_.Scalar
    sub_.Tensor subtract.Scalar subtract.Tensor subtract_.Scalar subtract_.Tensor sum sum.dim_IntList sum_to_size
    swapaxes swapdims sym_numel sym_size sym_size.int sym_storage_offset sym_stride sym_stride.int t take_along_dim
    tan tanh tanh_ tensordot threshold threshold_ tile to.device to.dtype to.dtype_layout to.other topk trace
    transpose.int transpose_ tril tril_ triu triu_ true_divide.Scalar true_divide.Tensor true_divide_.Scalar
    true_divide_.Tensor trunc type_as unbind.int unflatten.int unfold unsqueeze unsqueeze_ upsample_bicubic2d.vec
    upsample_bilinear2d.vec upsample_linear1d.vec upsample_nearest1d.vec upsample_nearest2d.vec
    upsample_nearest3d.vec upsample_trilinear3d.vec var.correction var var.dim var_mean.correction var_mean
    var_mean.dim vdot view view.dtype view_as view_as_complex view_as_real vsplit.array vsplit.int vstack
    where.Scalar where.ScalarOther where.ScalarSelf where where.self xlogy.Scalar_Other xlogy.Scalar_Self
    xlogy.Tensor xlogy_.Scalar_Other xlogy_.Tensor zero zero_ zeros zeros_like _upsample_bicubic2d_aa.vec
    _upsample_bilinear2d_aa.vec _upsample_nearest_exact1d.vec _upsample_nearest_exact2d.vec
    _upsample_nearest_exact3d.vec
"""
_SCRIPTED = """
    Bool Complex Float Int FloatImplicit IntImplicit ScalarImplicit ComplexImplicit Size append as_tensor bernoulli
    bernoulli_ bin can_cast capitalize data center chr clear copy count cpu cuda degrees device dict dim divmod
    endswith equal expandtabs extend fabs find floordiv format gamma get get_device hash hex insert
    is_autocast_enabled is_autocast_cpu_enabled is_contiguous is_grad_enabled is_leaf is_nonzero is_scripting
    isalnum isalpha isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper items join
    keys len list ljust lower lstrip mathremainder mode multinomial normal normal_ oct ord partition percentFormat
    pop popitem promote_types radians rand rand_like randint randn randn_like random_ randperm range remove replace
    requires_grad_ result_type reverse rfind rindex rjust rpartition rrelu rsplit rstrip setdefault sorted
    splitlines startswith str stride strip swapcase tensor title tril_indices triu_indices uniform_ unsafe_chunk
    unsafe_split update upper values wait warn zfill empty empty_like new_empty __and__ __contains__ __derive_index
    __getitem__ __iand__ __ilshift__ __ior__ __irshift__ __is__ __isnot__ __ixor__ __lshift__ __not__ __or__
    __range_length __round_to_zero_floordiv __rshift__ __xor__ _convolution _convolution_mode
    _native_multi_head_attention _set_item
"""
_PRIM = """
    EnumName EnumValue NumToTensor RaiseException abs data device dtype is_cpu is_cuda is_meta is_mkldnn is_mps
    is_nested is_quantized is_sparse is_xla is_xpu itemsize layout max min name requires_grad shape type
    unchecked_unwrap_optional
"""

# Operators that resize, with the number of arguments of their `vec` overload, which computes the output size from the
# scales. The other overloads accept any size with any scales, and can read outside the image.
RESIZED = {
    name.split(".")[0]: 3 if "nearest" in name else 4
    for name in [*_EXPORTED.split(), "_upsample_lanczos2d_aa.vec"]
    if "upsample_" in name
}
# The operators for torch.export archives, by full name: `add.Tensor` is `aten.add.Tensor`, and `relu` is
# `aten.relu.default`. Exported models of torchvision, timm and transformers use these and similar ones. No operator
# returns uninitialised memory (`empty`) or trusts sizes that the caller gives (`as_strided`, `set_`). Recurrent ones
# (`lstm`, `gru`) are left out, since they do not compare the sizes of their weights. None is private (`_...`), except
# those that `interpolate` is exported as, which check their sizes.
EXPORTED = frozenset(f"aten.{name}" if "." in name else f"aten.{name}.default" for name in _EXPORTED.split())
# The operators for TorchScript after `torch.`, by name alone, since its compiler chooses the overload: those above
# without RESIZED, whose calls script_types.py checks; methods of Python's numbers, lists and strings; random draws of
# training; and private operators that traced convolutions, scripted attention and scripted resizing call. Stochastic
# depth in training calls `empty`.
SCRIPTED = (frozenset(name.split(".")[1] for name in EXPORTED) | frozenset(_SCRIPTED.split())) - set(RESIZED)
# The operators for TorchScript after `ops.`.
NAMESPACED = frozenset(f"prim.{name}" for name in _PRIM.split())
