/* PCG with hypre's PFMG (semi-coarsening geometric multigrid) on a system that sciml/bench/poisson/hypre.py wrote.
 *
 * Usage: hypre_pfmg SYSTEM RTOL MAXITER SOLUTION [VARIANT]...
 * A VARIANT is RAP,RELAX,SKIP: the PFMG options RAPType (0 Galerkin, 1 non-Galerkin), RelaxType (1 weighted Jacobi,
 * 2 symmetric red-black Gauss-Seidel) and SkipRelax. The default is three: the red-black ones are the
 * fastest on smooth obstacles but break down on scattered single-cell ones, where weighted Jacobi still converges.
 *
 * SYSTEM, native byte order: the 8 bytes "SCPFMG01"; 3 int32 n0, n1, n2; then five float64 arrays of n0*n1*n2 values,
 * n2 fastest: the diagonal (> 0), for each axis the coupling weight (>= 0) to the neighbour one index lower, and the
 * right-hand side. The matrix is (A x)_c = diagonal_c x_c - sum of weight x_neighbour; a row without couplings stands
 * for a cell that is not an unknown.
 *
 * Standard output: a JSON list with one object per variant; times are in seconds, wall (the slowest rank) and CPU (all
 * ranks). The solution of variant k is written to SOLUTION.k as float64. Under mpirun each rank takes a slab of axis 0.
 *
 * Build: mpicc -O2 -I/usr/include/hypre hypre_pfmg.c -lHYPRE -lm -o hypre_pfmg
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "HYPRE.h"
#include "HYPRE_struct_ls.h"

static int rank, ranks;

static void fail(const char *message, const char *detail) {
    fprintf(stderr, "hypre_pfmg: %s %s\n", message, detail);
    MPI_Abort(MPI_COMM_WORLD, 2);
    exit(2);
}

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

/* One rank's slab: extents in hypre's order (our last axis first) and the four stencil arrays and b. */
typedef struct {
    int whole[3], lower[3], upper[3];
    size_t start, count; /* of the slab, in values */
    double *stencil, *b;
} Slab;

static void read_values(FILE *file, const Slab *slab, int array, double *values) {
    size_t all = (size_t)slab->whole[0] * slab->whole[1] * slab->whole[2];
    if (fseek(file, (long)(20 + 8 * (array * all + slab->start)), SEEK_SET) ||
        fread(values, 8, slab->count, file) != slab->count)
        fail("the system ends too early, array", (const char *[]){"diagonal", "0", "1", "2", "b"}[array]);
}

static Slab read_slab(const char *path) {
    Slab slab;
    char magic[8];
    FILE *file = fopen(path, "rb");
    if (!file) fail("cannot open", path);
    if (fread(magic, 1, 8, file) != 8 || memcmp(magic, "SCPFMG01", 8) || fread(slab.whole, 4, 3, file) != 3)
        fail("not a system file:", path);
    int n0 = slab.whole[0], first = (int)((long)n0 * rank / ranks), end = (int)((long)n0 * (rank + 1) / ranks);
    if (slab.whole[0] < 1 || slab.whole[1] < 1 || slab.whole[2] < 1) fail("empty grid in", path);
    if (first == end) fail("more ranks than planes in", path);
    size_t plane = (size_t)slab.whole[1] * slab.whole[2];
    slab.start = first * plane;
    slab.count = (end - first) * plane;
    for (int axis = 0; axis < 3; axis++) {
        slab.lower[2 - axis] = axis ? 0 : first;
        slab.upper[2 - axis] = axis ? slab.whole[axis] - 1 : end - 1;
    }
    slab.stencil = malloc(8 * 4 * slab.count);
    slab.b = malloc(8 * slab.count);
    if (!slab.stencil || !slab.b) fail("out of memory for", path);
    for (int array = 0; array < 4; array++) {
        read_values(file, &slab, array, slab.b);
        for (size_t c = 0; c < slab.count; c++) slab.stencil[4 * c + array] = array ? -slab.b[c] : slab.b[c];
    }
    read_values(file, &slab, 4, slab.b);
    fclose(file);
    return slab;
}

static HYPRE_StructMatrix make_matrix(HYPRE_StructGrid grid, Slab *slab) {
    HYPRE_Int offsets[4][3] = {{0, 0, 0}, {0, 0, -1}, {0, -1, 0}, {-1, 0, 0}}, entries[4] = {0, 1, 2, 3};
    HYPRE_StructStencil stencil;
    HYPRE_StructMatrix matrix;
    HYPRE_StructStencilCreate(3, 4, &stencil);
    for (int i = 0; i < 4; i++) HYPRE_StructStencilSetElement(stencil, i, offsets[i]);
    HYPRE_StructMatrixCreate(MPI_COMM_WORLD, grid, stencil, &matrix);
    HYPRE_StructMatrixSetSymmetric(matrix, 1);
    HYPRE_StructMatrixInitialize(matrix);
    HYPRE_StructMatrixSetBoxValues(matrix, slab->lower, slab->upper, 4, entries, slab->stencil);
    HYPRE_StructMatrixAssemble(matrix);
    return matrix;
}

static HYPRE_StructVector make_vector(HYPRE_StructGrid grid, Slab *slab, double *values) {
    HYPRE_StructVector vector;
    HYPRE_StructVectorCreate(MPI_COMM_WORLD, grid, &vector);
    HYPRE_StructVectorInitialize(vector);
    if (values)
        HYPRE_StructVectorSetBoxValues(vector, slab->lower, slab->upper, values);
    else
        HYPRE_StructVectorSetConstantValues(vector, 0.0);
    HYPRE_StructVectorAssemble(vector);
    return vector;
}

static void make_solver(double rtol, int maxiter, const int *variant, HYPRE_StructSolver *pcg,
                        HYPRE_StructSolver *pfmg) {
    HYPRE_StructPFMGCreate(MPI_COMM_WORLD, pfmg);
    HYPRE_StructPFMGSetMaxIter(*pfmg, 1);
    HYPRE_StructPFMGSetTol(*pfmg, 0.0);
    HYPRE_StructPFMGSetZeroGuess(*pfmg);
    HYPRE_StructPFMGSetRAPType(*pfmg, variant[0]);
    HYPRE_StructPFMGSetRelaxType(*pfmg, variant[1]);
    HYPRE_StructPFMGSetSkipRelax(*pfmg, variant[2]);
    HYPRE_StructPFMGSetNumPreRelax(*pfmg, 1);
    HYPRE_StructPFMGSetNumPostRelax(*pfmg, 1);
    HYPRE_StructPCGCreate(MPI_COMM_WORLD, pcg);
    HYPRE_StructPCGSetTol(*pcg, rtol);
    HYPRE_StructPCGSetTwoNorm(*pcg, 1);
    HYPRE_StructPCGSetMaxIter(*pcg, maxiter);
    HYPRE_StructPCGSetPrecond(*pcg, HYPRE_StructPFMGSolve, HYPRE_StructPFMGSetup, *pfmg);
}

static void write_solution(const char *prefix, int number, HYPRE_StructVector x, Slab *slab, double *values) {
    char path[4096];
    FILE *file = NULL;
    HYPRE_StructVectorGetBoxValues(x, slab->lower, slab->upper, values);
    snprintf(path, sizeof path, "%s.%d", prefix, number);
    if (rank == 0 && (!(file = fopen(path, "wb")) || fclose(file))) fail("cannot write", path);
    MPI_Barrier(MPI_COMM_WORLD);
    if (!(file = fopen(path, "r+b")) || fseek(file, (long)(8 * slab->start), SEEK_SET) ||
        fwrite(values, 8, slab->count, file) != slab->count || fclose(file))
        fail("cannot write", path);
}

/* Elapsed wall (slowest rank) and CPU (all ranks) seconds since `since`, on every rank. */
static void elapsed(const double *since, double *result) {
    double here[2] = {seconds(CLOCK_MONOTONIC) - since[0], seconds(CLOCK_PROCESS_CPUTIME_ID) - since[1]};
    MPI_Allreduce(&here[0], &result[0], 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    MPI_Allreduce(&here[1], &result[1], 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

static void start(double *since) {
    MPI_Barrier(MPI_COMM_WORLD);
    since[0] = seconds(CLOCK_MONOTONIC);
    since[1] = seconds(CLOCK_PROCESS_CPUTIME_ID);
}

int main(int argc, char **argv) {
    const char *defaults[3] = {"0,2,0", "1,2,1", "0,1,0"};
    MPI_Init(&argc, &argv);
    HYPRE_Init();
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (argc < 5) fail("usage:", "hypre_pfmg SYSTEM RTOL MAXITER SOLUTION [RAP,RELAX,SKIP]...");
    double rtol = atof(argv[2]);
    int maxiter = atoi(argv[3]), variants = argc > 5 ? argc - 5 : 3;
    Slab slab = read_slab(argv[1]);

    HYPRE_StructGrid grid;
    HYPRE_StructGridCreate(MPI_COMM_WORLD, 3, &grid);
    HYPRE_StructGridSetExtents(grid, slab.lower, slab.upper);
    HYPRE_StructGridAssemble(grid);
    HYPRE_StructMatrix matrix = make_matrix(grid, &slab);
    HYPRE_StructVector b = make_vector(grid, &slab, slab.b);
    free(slab.stencil);

    for (int k = 0; k < variants; k++) {
        const char *text = argc > 5 ? argv[5 + k] : defaults[k];
        int variant[3], iterations = 0;
        double since[2], setup[2], solve[2];
        HYPRE_StructSolver pcg, pfmg;
        if (sscanf(text, "%d,%d,%d", &variant[0], &variant[1], &variant[2]) != 3) fail("not a variant:", text);
        HYPRE_StructVector x = make_vector(grid, &slab, NULL);
        make_solver(rtol, maxiter, variant, &pcg, &pfmg);
        start(since);
        HYPRE_StructPCGSetup(pcg, matrix, b, x);
        elapsed(since, setup);
        start(since);
        HYPRE_StructPCGSolve(pcg, matrix, b, x);
        elapsed(since, solve);
        HYPRE_StructPCGGetNumIterations(pcg, &iterations);
        HYPRE_ClearAllErrors(); /* not converging is an answer, which the caller sees in the residual */
        write_solution(argv[4], k, x, &slab, slab.b);
        if (rank == 0)
            printf("%s{\"variant\": \"%s RAP, %s%s\", \"setup_seconds\": %.6f, \"setup_cpu_seconds\": %.6f, "
                   "\"solve_seconds\": %.6f, \"solve_cpu_seconds\": %.6f, \"iterations\": %d}%s\n",
                   k ? " " : "[", variant[0] ? "non-Galerkin" : "Galerkin",
                   variant[1] == 1 ? "weighted Jacobi" : variant[1] == 2 ? "red-black" : "other relaxation",
                   variant[2] ? ", skipping" : "",
                   setup[0], setup[1], solve[0], solve[1], (int)iterations, k == variants - 1 ? "]" : ",");
        HYPRE_StructPCGDestroy(pcg);
        HYPRE_StructPFMGDestroy(pfmg);
        HYPRE_StructVectorDestroy(x);
    }
    HYPRE_StructVectorDestroy(b);
    HYPRE_StructMatrixDestroy(matrix);
    HYPRE_StructGridDestroy(grid);
    free(slab.b);
    HYPRE_Finalize();
    MPI_Finalize();
    return 0;
}
