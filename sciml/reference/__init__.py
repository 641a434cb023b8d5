"""Reference solutions by equation: exact solutions and classical solvers, for data, for errors and as baselines.

==================================  ====================================================================================
module                              contents
==================================  ====================================================================================
advection_diffusion_exact           Gaussians that travel and spread, sines that decay: closed forms in any dimension
advection_flow_maps                 velocity fields with exact flow maps: uniform, rotation, swirl, sinusoidal speed
advection_grids                     linear advection on one axis by finite differences, splines and Fourier modes
advection_semi_lagrangian           advection and diffusion in 1-D to 3-D by paths traced backwards
burgers_cole_hopf                   Burgers' equation exactly, by the quadrature of Cole and Hopf
channel_flow                        flow in a channel around an obstacle: frames, drag, lift, shedding frequency
conservation_laws_entropy           convex scalar conservation laws exactly, through shocks
conservation_laws_finite_volumes    scalar conservation laws and advection by WENO finite volumes of fifth order
conservation_laws_fourier           scalar conservation laws and advection by Fourier collocation
darcy                               Darcy flow through smooth random media on the unit square by Legendre polynomials
diffusion_finite_elements           diffusion on triangles and tetrahedra as the Laplacian of a graph
diffusion_sorption                  diffusion with nonlinear sorption by finite volumes, extrapolated
diffusion_sorption_families         the published family of sorption problems, a wide one, a spline through solutions
diffusion_sorption_similarity       a front that enters a half-line with sorption, by one ordinary differential equation
hyperelasticity_finite_elements     static and dynamic hyperelastic bodies by finite elements
hyperelasticity_materials           stored energies: neo-Hookean, as rigid as possible with a volume term
incompressible_plane_flows          initial flows in a box given by formulas: Taylor-Green, two vortices
incompressible_smoke                smoke that rises in a closed box, and flows that start again from a frame
incompressible_spectral             incompressible flow in a box with slip walls by a spectral method
incompressible_stable_fluids        incompressible flow with buoyancy on a staggered grid, semi-Lagrangian, projected
incompressible_taylor_green         Taylor-Green vortices that decay and travel: exact solutions
incompressible_triangles            incompressible flow on triangles by a split of each time step
periodic_fourier                    heat, advection and Burgers' equation in a periodic box by Fourier series
poisson_cases                       Poisson systems on voxels: geometries, coefficients and right-hand sides
pore_network_files                  pore networks in Statoil format, in arrays with names of OpenPNM, in meshes
pore_networks                       pore networks: the type, random ones, pressures and permeability
upscaling                           Darcy flow by two-point fluxes; coarse transmissibilities by averages
upscaling_fields                    random log-normal coefficients
upscaling_local                     coarse transmissibilities by local and extended local fine problems
upscaling_sources                   the pressure of coarse cells with sources, after Peaceman
value_iteration                     optimal values of decisions on graphs, by policy iteration
vorticity                           incompressible flow in a periodic square by Fourier series
waves                               acoustic waves in a plane: shot records of velocity maps, with derivatives
wind_tunnel                         potential flow around an obstacle by one pressure projection
==================================  ====================================================================================

:mod:`~sciml.reference.pore_network_laws` has conductances by sizes and shapes;
:mod:`~sciml.reference.pore_network_boxes` cuts boxes out of a network;
:mod:`~sciml.reference.pore_network_tessellations` and :mod:`~sciml.reference.pore_network_flow` are parts of
:mod:`~sciml.reference.pore_networks`, and :mod:`~sciml.reference.pore_network_statoil` one of
:mod:`~sciml.reference.pore_network_files`. :mod:`~sciml.reference.incompressible_staggered_kernels` has the loops
of stable fluids, :mod:`~sciml.reference.incompressible_triangle_kernels` those on triangles,
:mod:`~sciml.reference.trigonometric_series` periodic initial conditions,
:mod:`~sciml.reference.integrating_factor` time steps for stiff linear parts, :mod:`~sciml.reference.time_steps` their
number, and :mod:`~sciml.reference.arrays` what lets formulas take NumPy arrays and torch tensors alike.
"""
